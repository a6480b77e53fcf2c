//! What is stated without Security Event Tokens: by webhooks of systems that know nothing of them, and by operators.

mod mapping;
mod office;
mod said;
mod signature;
mod source;

pub use mapping::{Mapped, Mapping, MappingText, NotMapped};
pub use office::{FactError, FactOffice, OPERATOR};
pub use said::{Assertion, ID, NAME, NotSaid, Speaker, is_id, is_name};
pub use signature::{NotSigned, Sent, Signature, SignatureError, SignatureSettings};
pub use source::{NotTaken, Sender, Taken, Webhook, Webhooks};
