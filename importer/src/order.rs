//! In which order records that refer to each other are written. Pure.

use std::collections::HashSet;

/// A record to be written and the others of the same batch that it refers to, by index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Node {
    /// Targets that must be there first: the column refuses null.
    pub(crate) required: Vec<usize>,
    /// Columns that may be null for a moment, with their targets.
    pub(crate) optional: Vec<(usize, usize)>,
}

/// A record to be written now, without the columns that wait for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) index: usize,
    /// Columns to be filled in later.
    pub(crate) deferred: Vec<usize>,
}

/// The next records that can be written when `done` are; empty if the `left` ones need each other in a circle.
///
/// Records all of whose targets are there go first; only if there are none does a nullable column break the
/// circle ("broken by a second pass over nullable columns"). Where they are few among many, as in a long chain, all
/// whose nullable columns alone wait go at once: each step costs a trip to the database.
pub(crate) fn next(nodes: &[Node], left: &[usize], done: &HashSet<usize>) -> Vec<Step> {
    let has_required = |index: &&usize| nodes[**index].required.iter().all(|target| done.contains(target));
    let deferred = |index: usize| {
        nodes[index].optional.iter().filter(|(_, target)| !done.contains(target)).map(|(column, _)| *column).collect()
    };
    let steps: Vec<Step> =
        left.iter().filter(has_required).map(|index| Step { index: *index, deferred: deferred(*index) }).collect();
    let complete: Vec<Step> = steps.iter().filter(|step| step.deferred.is_empty()).cloned().collect();
    if steps.len() >= MANY && complete.len() < steps.len() / FEW {
        return steps;
    }
    if complete.is_empty() { steps.into_iter().take(1).collect() } else { complete }
}

/// Records that are worth writing in two passes rather than one after the other.
const MANY: usize = 64;
/// The part of them, one in so many, that a step should write at least.
const FEW: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn run(nodes: &[Node]) -> Vec<Step> {
        let mut done = HashSet::new();
        let mut order = Vec::new();
        loop {
            let left: Vec<_> = (0..nodes.len()).filter(|index| !done.contains(index)).collect();
            let steps = next(nodes, &left, &done);
            if steps.is_empty() {
                return order;
            }
            done.extend(steps.iter().map(|step| step.index));
            order.extend(steps);
        }
    }

    fn node(required: &[usize], optional: &[(usize, usize)]) -> Node {
        Node { required: required.to_vec(), optional: optional.to_vec() }
    }

    #[test]
    fn parents_are_written_first() {
        let order = run(&[node(&[1], &[]), node(&[], &[(0, 2)]), node(&[], &[])]);
        assert_eq!(order.iter().map(|step| step.index).collect::<Vec<_>>(), [2, 1, 0]);
        assert!(order.iter().all(|step| step.deferred.is_empty()));
    }

    #[test]
    fn a_circle_is_broken_at_a_nullable_column() {
        let order = run(&[node(&[1], &[]), node(&[], &[(4, 0)])]);
        assert_eq!(order[0], Step { index: 1, deferred: vec![4] });
        assert_eq!(order[1], Step { index: 0, deferred: vec![] });
    }

    #[test]
    fn a_long_chain_takes_few_steps() {
        let chain: Vec<Node> =
            (0..1_000_usize).map(|at| if at == 0 { node(&[], &[]) } else { node(&[], &[(3, at - 1)]) }).collect();
        let left: Vec<usize> = (0..chain.len()).collect();
        let steps = next(&chain, &left, &HashSet::new());
        assert_eq!(steps.len(), 1_000);
        assert_eq!(steps[1], Step { index: 1, deferred: vec![3] });
    }

    #[test]
    fn a_circle_of_required_references_is_left() {
        assert!(run(&[node(&[1], &[]), node(&[0], &[])]).is_empty());
        assert!(run(&[node(&[0], &[])]).is_empty(), "a record that requires itself");
    }
}
