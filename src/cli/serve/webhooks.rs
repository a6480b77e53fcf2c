//! The webhooks of a server: who may send them, and what is made of their JSON.

use anyhow::{Context, anyhow};

use crate::config::{self, Hmac, Timestamped, WebhookSender};
use crate::pdp::webhooks::{Mapping, MappingText, Sender, Sent, Signature, SignatureSettings, Webhook};

/// The webhooks that `configured` describe.
///
/// # Errors
/// If an expression is wrong, or a secret cannot be read or is none; nothing of a secret is repeated.
pub(super) fn webhooks(configured: &[config::Webhook]) -> anyhow::Result<Vec<Webhook>> {
    configured.iter().map(webhook).collect()
}

fn webhook(configured: &config::Webhook) -> anyhow::Result<Webhook> {
    let config::Webhook { name, sender, when, facts, id, .. } = configured;
    let at = || format!("`signals.webhooks`: `{name}`");
    let text = MappingText { when: when.clone(), facts: facts.clone(), id: id.clone() };
    let mapping = Mapping::compile(name, &text).map_err(|wrong| anyhow!("{}", wrong.join("\n  ")));
    let sender = match sender {
        WebhookSender::Hmac(hmac) => Sender::Signed(signature(hmac).with_context(at)?),
        WebhookSender::Caller(caller) => Sender::Caller(caller.clone()),
    };
    Ok(Webhook { name: name.clone(), sender, mapping: mapping.with_context(at)? })
}

fn signature(hmac: &Hmac) -> anyhow::Result<Signature> {
    let Hmac { header, prefix, secret, timestamp, signed } = hmac;
    let secrets = secret.read().context("cannot read the secret")?;
    let secrets = secrets.lines().map(str::trim).filter(|secret| !secret.is_empty());
    let sent = timestamp.as_ref().map(|Timestamped { header, prefix, max_age }| Sent {
        header: header.clone(),
        prefix: prefix.clone(),
        tolerance: *max_age,
    });
    Ok(Signature::new(SignatureSettings {
        header: header.clone(),
        prefix: prefix.clone(),
        secrets: secrets.map(str::to_owned).collect(),
        sent,
        signed: signed.clone(),
    })?)
}
