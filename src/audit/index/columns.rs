//! What a block of the index can be asked, in memory or stored, and how a filter is evaluated on it.

use procura_core::query::{Condition, Field, is_beyond};

use super::bits::Bits;
use super::block::{Spot, nanoseconds};

/// Why the index cannot be used. It is made again then.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The store refuses.
    #[error("the index of the decision log cannot be used: {0}")]
    Store(String),
    /// What it says is not so.
    #[error("the index of the decision log is damaged: {0}")]
    Damaged(&'static str),
}

/// One block.
pub(super) trait Columns {
    /// How many decisions it holds.
    fn rows(&self) -> u32;
    /// The rows with this value.
    fn is(&self, field: Field, value: &str) -> Result<Bits, IndexError>;
    /// The rows with a value that begins so.
    fn starts_with(&self, field: Field, prefix: &str) -> Result<Bits, IndexError>;
    /// Shows every value of a field with its rows, ascending.
    fn each_value(&self, field: Field, each: &mut dyn FnMut(&str, &[u32])) -> Result<(), IndexError>;
    /// Its records, in order.
    fn spots(&self) -> Result<&[Spot], IndexError>;
    /// The earliest and the latest instant of a record, in nanoseconds since 1970.
    fn times(&self) -> (i64, i64);
}

/// The rows for which `condition` holds.
pub(super) fn evaluate(condition: &Condition, block: &dyn Columns) -> Result<Bits, IndexError> {
    Ok(match condition {
        Condition::All(parts) => {
            let mut bits = Bits::all(block.rows());
            for part in parts {
                if bits.is_empty() {
                    break;
                }
                bits.and(&evaluate(part, block)?);
            }
            bits
        }
        Condition::Any(parts) => {
            let mut bits = Bits::none(block.rows());
            for part in parts {
                bits.or(&evaluate(part, block)?);
            }
            bits
        }
        Condition::Not(part) => {
            let mut bits = evaluate(part, block)?;
            bits.invert();
            bits
        }
        Condition::Is(field, value) => block.is(*field, value)?,
        Condition::StartsWith(field, prefix) => block.starts_with(*field, prefix)?,
        Condition::Since(at) => since(nanoseconds(*at), block)?,
        Condition::Within(tenants) => within(tenants, block)?,
    })
}

fn within(tenants: &[Box<str>], block: &dyn Columns) -> Result<Bits, IndexError> {
    let mut beyond = Bits::none(block.rows());
    block.each_value(Field::Tenant, &mut |tenant, rows| {
        if is_beyond(tenant, tenants) {
            rows.iter().for_each(|row| beyond.set(*row));
        }
    })?;
    beyond.invert();
    Ok(beyond)
}

fn since(at: i64, block: &dyn Columns) -> Result<Bits, IndexError> {
    let (earliest, latest) = block.times();
    if earliest >= at {
        return Ok(Bits::all(block.rows()));
    }
    let mut bits = Bits::none(block.rows());
    if latest >= at {
        let spots = block.spots()?;
        let ends = spots.iter().skip(1).map(|spot| spot.first_row).chain([block.rows()]);
        for (spot, end) in spots.iter().zip(ends).filter(|(spot, _)| spot.at >= at) {
            (spot.first_row..end).for_each(|row| bits.set(row));
        }
    }
    Ok(bits)
}

/// The record of row `row`.
pub(super) fn spot_of(spots: &[Spot], row: u32) -> Option<Spot> {
    let behind = spots.partition_point(|spot| spot.first_row <= row);
    behind.checked_sub(1).and_then(|at| spots.get(at)).copied()
}
