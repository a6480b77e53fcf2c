//! Webhooks: what systems send that know nothing of Security Event Tokens, made facts.

mod mapping;
mod said;
mod signature;

pub use mapping::{Mapped, Mapping, MappingText, NotMapped};
pub use said::{ID, NAME, NotSaid, Said, check_data, is_id, is_name};
pub use signature::{NotSigned, Sent, Signature, SignatureError, SignatureSettings};
