//! What fuzz targets need of parsers that nobody else may call. It is there only with `--cfg fuzzing`, which `fuzz/run`
//! passes: nothing of it is in any other build.

pub use crate::audit::fuzzing as audit;
pub use crate::discovery::fuzzing as discovery;
pub use crate::facts::fuzzing as facts;
pub use crate::http::fuzzing as http;
pub use crate::pip::fuzzing as pip;
pub use crate::quarantine::fuzzing as quarantine;
pub use crate::streams::fuzzing as streams;
pub use crate::tls::fuzzing as tls;
