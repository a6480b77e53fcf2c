//! What is stated without Security Event Tokens: by webhooks of systems that know nothing of them, and by operators.

mod mapping;
mod office;
mod path;
mod said;
mod signature;
mod source;

pub use mapping::{Mapped, Mapping, MappingText, NotMapped};
pub use office::{FactError, FactOffice, OPERATOR};
pub use path::{FactParts, NotStated};
pub use said::{ID, NAME, NotSaid, Said, Saying, check_data, is_id, is_name};
pub use signature::{NotSigned, Sent, Signature, SignatureError, SignatureSettings};
pub use source::{Heard, NotHeard, Sender, Webhook, Webhooks};

use super::Caller;
