//! What is asked of strings and numbers.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::errors::Errors;
use super::marks::Marks;
use super::{At, Walk};
use crate::expr::{double_text, is_regex};
use crate::limits::BYTES_PER_COST_UNIT;
use crate::schema::TooCostly;
use crate::schema::decimal;
use crate::schema::formats::{Fits, Format};
use crate::schema::node::{Keywords, Number, Text};
use crate::schema::text::quote;
use crate::value::Value;

/// Padding is asked for; bits that belong to no byte may be anything.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Validates `text`.
pub(super) fn text(
    walk: &Walk<'_>,
    keywords: &Keywords,
    text: &str,
    at: At<'_>,
    errors: &mut Errors,
) -> Result<(), TooCostly> {
    let Text { min, max, pattern, .. } = &keywords.text;
    if let Some(format) = keywords.format
        && !fits(walk, format, text)?
    {
        walk.report(at, errors, || format!("{} is not valid {}", quote(text), quote(format.name)))?;
    }
    if min.is_some() || max.is_some() {
        walk.charge(text.len() / BYTES_PER_COST_UNIT)?;
        let length = text.chars().count();
        if let Some(min) = min.filter(|min| count(length) < *min) {
            walk.report(at, errors, || format!("length must be >= {min}, but got {length}"))?;
        }
        if let Some(max) = max.filter(|max| count(length) > *max) {
            walk.report(at, errors, || format!("length must be <= {max}, but got {length}"))?;
        }
    }
    if let Some(pattern) = pattern {
        // A hard expression may build a state at every byte, so each byte costs.
        walk.charge(text.len())?;
        if !pattern.regex.is_match(text) {
            walk.report(at, errors, || format!("does not match pattern {}", quote(&pattern.source)))?;
        }
    }
    content(walk, &keywords.text, text, at, errors)
}

/// Validates `number`.
pub(super) fn number(
    walk: &Walk<'_>,
    limits: &Number,
    number: f64,
    at: At<'_>,
    errors: &mut Errors,
) -> Result<(), TooCostly> {
    let comparisons = [
        (limits.minimum.filter(|limit| number < *limit), ">="),
        (limits.exclusive_minimum.filter(|limit| number <= *limit), ">"),
        (limits.maximum.filter(|limit| number > *limit), "<="),
        (limits.exclusive_maximum.filter(|limit| number >= *limit), "<"),
    ];
    for (limit, sign) in comparisons {
        if let Some(limit) = limit {
            let found = double_text(number);
            walk.report(at, errors, || format!("must be {sign} {} but found {found}", double_text(limit)))?;
        }
    }
    if let Some(unit) = limits.multiple_of {
        walk.charge(DIGITS_COST)?;
        if !decimal::is_multiple(number, unit) {
            let message = || format!("{} not multipleOf {}", double_text(number), double_text(unit));
            walk.report(at, errors, message)?;
        }
    }
    Ok(())
}

/// A length as the numbers of schemas are.
#[expect(clippy::cast_precision_loss, reason = "no value has 2^53 parts")]
pub(super) fn count(length: usize) -> f64 {
    length as f64
}

/// Cost units for dividing two numbers digit by digit.
const DIGITS_COST: usize = 40;

fn fits(walk: &Walk<'_>, format: Format, text: &str) -> Result<bool, TooCostly> {
    match format.fits {
        Fits::Text(fits) => {
            walk.charge(text.len())?;
            Ok(fits(text))
        }
        Fits::Regex => is_regex(walk.budget, text).map_err(|_| TooCostly),
    }
}

fn content(
    walk: &Walk<'_>,
    asked: &Text,
    text: &str,
    at: At<'_>,
    errors: &mut Errors,
) -> Result<(), TooCostly> {
    if !asked.is_base64 && !asked.is_json {
        return Ok(());
    }
    walk.charge(text.len())?;
    let bytes = match asked.is_base64 {
        false => text.as_bytes().to_vec(),
        true => match BASE64.decode(text.replace(['\n', '\r'], "")) {
            Ok(bytes) => bytes,
            Err(_) => return walk.report(at, errors, || "value is not base64 encoded".to_owned()),
        },
    };
    if !asked.is_json {
        return Ok(());
    }
    let not_json = || "value is not of mediatype 'application/json'".to_owned();
    // Keys may occur twice, as with the peer, unless a schema looks at them.
    if serde_json::from_slice::<serde_json::Value>(&bytes).is_err() {
        return walk.report(at, errors, not_json);
    }
    let Some(id) = asked.content else { return Ok(()) };
    match serde_json::from_slice::<Value<'_>>(&bytes) {
        Ok(value) => walk.apply(
            id,
            At { value: (&value).into(), depth: at.depth + 1, ..at },
            errors,
            &mut Marks::Ignored,
        ),
        Err(_) => walk.report(at, errors, not_json),
    }
}
