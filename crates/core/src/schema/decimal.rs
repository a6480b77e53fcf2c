//! `multipleOf`, on the decimals that people write: 0.3 is a multiple of 0.1.

/// Whether `value` is a whole multiple of `unit`, which is above 0.
pub(super) fn is_multiple(value: f64, unit: f64) -> bool {
    let ((value, value_power), (unit, unit_power)) = (decimal(value), decimal(unit));
    if value == 0 {
        return true;
    }
    match u32::try_from(value_power - unit_power) {
        Ok(more) => times_power_of_ten(value, more, unit) == 0,
        Err(_) => {
            // The digits of a double are fewer than 18, so a larger difference cannot divide.
            let fewer = (unit_power - value_power).unsigned_abs();
            fewer < 18 && value.is_multiple_of(unit * 10_u128.pow(fewer))
        }
    }
}

/// The shortest digits that read back as `n`, without the sign, and the power of ten of the last one.
fn decimal(n: f64) -> (u128, i32) {
    let text = format!("{:e}", n.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa = format!("{whole}{fraction}").parse().unwrap_or_default();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    (mantissa, exponent - i32::try_from(fraction.len()).unwrap_or_default())
}

/// `value * 10^power`, modulo `unit`, which is below 10^18.
fn times_power_of_ten(value: u128, power: u32, unit: u128) -> u128 {
    (0..power).fold(value % unit, |rest, _| rest * 10 % unit)
}

#[cfg(test)]
mod tests {
    use super::is_multiple;

    #[test]
    fn multiples_are_those_of_decimals() {
        let cases = [
            (0.3, 0.1, true),
            (1.1, 0.1, true),
            (0.35, 0.1, false),
            (4.35, 0.01, true),
            (1.005, 0.01, false),
            (-0.02, 0.01, true),
            (0.0, 7.0, true),
            (1e308, 0.01, true),
            (1e20, 3.0, false),
            (1e-300, 1e300, false),
            (12_391_239_123.0, 1e-8, true),
            (1e-9, 1e-8, false),
            (7.5, 2.5, true),
            (f64::MAX, f64::MIN_POSITIVE, false),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(is_multiple(value, unit), expected, "{value} of {unit}");
        }
    }
}
