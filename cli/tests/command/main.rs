//! The command as it was built, driven from outside.

#[cfg(test)]
mod demo;
#[cfg(test)]
mod json;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod places;
#[cfg(test)]
mod round;
#[cfg(test)]
mod wrong_input;
