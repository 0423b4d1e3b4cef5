//! The command as it was built, driven from outside.

#[cfg(test)]
mod cat;
#[cfg(test)]
mod check;
#[cfg(test)]
mod conflicts;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod held;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod json;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod log;
#[cfg(test)]
mod places;
#[cfg(test)]
mod round;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod wrong_input;
