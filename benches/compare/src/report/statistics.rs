//! Medians, and how sure they are.

/// A median over rounds, with what the rounds lay between.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least, or the lower end of the interval.
    pub low: f64,
    /// The most, or the upper end of the interval.
    pub high: f64,
}

/// The median of all values, the least and the most; `None` without values.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let sorted = sorted(values);
    let (low, high) = (*sorted.first()?, *sorted.last()?);
    Some(Spread { median: middle(&sorted), low, high })
}

/// The median of all values and an interval that holds the true one in 95 of 100 cases, whatever the distribution. Below six
/// values there is no such interval: then it is the least and the most.
pub fn interval(values: &[f64]) -> Option<Spread> {
    let sorted = sorted(values);
    let skip = ends(sorted.len());
    let (low, high) = (*sorted.get(skip)?, *sorted.get(sorted.len() - 1 - skip)?);
    Some(Spread { median: middle(&sorted), low, high })
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}

/// How many values at each end lie outside the interval: as many as a fair coin shows less often than 2.5 times of 100.
fn ends(count: usize) -> usize {
    let (mut probability, mut below, mut skip) = (0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX)), 0.0, 0);
    for heads in 0..count / 2 {
        below += probability;
        if below > 0.025 {
            break;
        }
        skip = heads;
        probability *= (count - heads) as f64 / (heads + 1) as f64;
    }
    skip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, low: 1.0, high: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]).map(|spread| spread.median), Some(2.5));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn intervals_are_those_of_the_sign_test() {
        // Of 30 values the interval runs from the 10th to the 21st, of 6 from the first to the last.
        let values: Vec<f64> = (1..=30).map(f64::from).collect();
        assert_eq!(interval(&values), Some(Spread { median: 15.5, low: 10.0, high: 21.0 }));
        assert_eq!(interval(&values[..6]), Some(Spread { median: 3.5, low: 1.0, high: 6.0 }));
        assert_eq!(interval(&[7.0]), Some(Spread { median: 7.0, low: 7.0, high: 7.0 }));
    }
}
