//! All integration tests, one binary: each module is one part of the server seen from outside.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod audit_power_cut;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod http;
#[cfg(test)]
mod image;
#[cfg(test)]
mod reload;
