//! What every metric holds at one moment, for whoever sends it elsewhere.

use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::Metrics;

/// A metric with all its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// What it counts or measures.
    pub help: String,
    /// Its samples, each with labels of its own.
    pub samples: Vec<(Labels, Sample)>,
}

/// Names and values.
pub type Labels = Vec<(String, String)>;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Sample {
    /// It only grows.
    Counter(f64),
    /// It goes up and down.
    Gauge(f64),
    /// How often which values were seen.
    Histogram {
        /// The sum of the values.
        sum: f64,
        /// How many values there were.
        count: u64,
        /// How many values were at most so large, and no larger than the bound before.
        buckets: Vec<(f64, u64)>,
    },
}

impl Metrics {
    /// Everything that [`Metrics::render`] shows, sample by sample.
    #[must_use]
    pub fn samples(&self) -> Vec<Family> {
        self.registry.gather().iter().map(family).collect()
    }
}

fn family(family: &MetricFamily) -> Family {
    let kind = family.get_field_type();
    let samples = family.get_metric().iter().map(|metric| {
        let labels =
            metric.get_label().iter().map(|label| (label.name().to_owned(), label.value().to_owned()));
        (labels.collect(), sample(kind, metric))
    });
    Family { name: family.name().to_owned(), help: family.help().to_owned(), samples: samples.collect() }
}

fn sample(kind: MetricType, metric: &Metric) -> Sample {
    match kind {
        MetricType::COUNTER => Sample::Counter(metric.get_counter().get_value()),
        MetricType::HISTOGRAM => {
            let histogram = metric.get_histogram();
            let mut before = 0;
            let buckets = histogram.get_bucket().iter().map(|bucket| {
                let count = bucket.cumulative_count() - before;
                before = bucket.cumulative_count();
                (bucket.upper_bound(), count)
            });
            Sample::Histogram {
                buckets: buckets.collect(),
                sum: histogram.get_sample_sum(),
                count: histogram.get_sample_count(),
            }
        }
        _ => Sample::Gauge(metric.get_gauge().get_value()),
    }
}
