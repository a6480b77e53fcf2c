//! Certificates and their authorities, on both sides.

use anyhow::Context;

use super::crowd::{Shown, Wanted, ask_once};
use super::{Rng, Site};
use crate::certificates::{Authority, Credential, Leaf};
use crate::temp_dir::TempDir;

/// Writes what the server shows.
pub(super) fn put(files: &TempDir, credential: &Credential) {
    files.write("server.pem", &credential.certificate);
    files.write("server.key", &credential.key);
}

/// What the caller `number` shows, issued by `clients`.
pub(super) fn shown(clients: &Authority, number: usize) -> Shown {
    Shown::Certificate(clients.issue(&Leaf::workload(&format!("spiffe://acme.org/callers/{number}"))))
}

impl Site {
    /// The server renews its certificate under the same authority; the key may be there first, or the certificate.
    pub(super) async fn server_certificate(&mut self, rng: &mut Rng) -> anyhow::Result<()> {
        let before = self.reloads("succeeded").await?;
        let new = self.house.issue(&Leaf::server());
        if rng.chance(50) {
            self.files.write("server.key", &new.key);
            self.files.write("server.pem", &new.certificate);
        } else {
            put(&self.files, &new);
        }
        self.reloaded("succeeded", before).await
    }

    /// A key comes that belongs to nothing, and later the right one.
    pub(super) async fn bad_server_certificate(&mut self) -> anyhow::Result<()> {
        let (failed, succeeded) = (self.reloads("failed").await?, self.reloads("succeeded").await?);
        let new = self.house.issue(&Leaf::server());
        self.files.write("server.key", &new.key);
        self.reloaded("failed", failed).await?;
        self.files.write("server.pem", &new.certificate);
        self.reloaded("succeeded", succeeded).await
    }

    /// The server gets a certificate of another authority, which callers believe beforehand.
    pub(super) async fn server_authority(&mut self) -> anyhow::Result<()> {
        let new = Authority::new("house");
        self.tell(&(self.house.pem() + &new.pem())).await?;
        let before = self.reloads("succeeded").await?;
        put(&self.files, &new.issue(&Leaf::server()));
        self.reloaded("succeeded", before).await?;
        self.house = new;
        self.tell(&self.house.pem()).await
    }

    /// Callers get new certificates, then the old ones are revoked.
    pub(super) async fn client_certificates(&mut self) -> anyhow::Result<()> {
        let old = self.certify(&self.clients).await?;
        self.revoked.extend(old.iter().filter_map(|old| match &old.shown {
            Shown::Certificate(credential) => Some(credential.serial),
            _ => None,
        }));
        let before = self.reloads("succeeded").await?;
        self.files.write("clients.crl", self.clients.revoke(&self.revoked, 3600));
        self.reloaded("succeeded", before).await?;
        self.are_refused(&old).await
    }

    /// Callers get certificates of another authority, which the server believes beforehand, and the old one not any more.
    pub(super) async fn client_authority(&mut self) -> anyhow::Result<()> {
        // Revocation lists are found by the name of their authority.
        let name = format!("clients of {}", self.shared.wanted().0);
        let new = Authority::new(&name);
        let before = self.reloads("succeeded").await?;
        let lists = self.clients.revoke(&self.revoked, 3600) + &new.revoke(&[], 3600);
        self.files.write("clients.crl", lists);
        self.files.write("clients.pem", self.clients.pem() + &new.pem());
        // The files may go live one after the other.
        self.reloaded("succeeded", before).await?;
        let probe = Wanted::new(&self.house.pem(), shown(&new, 0));
        self.until("both are believed", async |site| Ok(ask_once(site.shared.address, &probe).await.is_ok()))
            .await?;
        let old = self.certify(&new).await?;
        self.files.write("clients.pem", new.pem());
        self.until("the old one is not believed", async |site| {
            let old = old.first().context("there are no callers")?;
            Ok(ask_once(site.shared.address, old).await.is_err())
        })
        .await?;
        self.files.write("clients.crl", new.revoke(&[], 3600));
        (self.clients, self.revoked) = (new, Vec::new());
        self.are_refused(&old).await
    }

    /// Gives every caller that has a certificate a new one of `authority`; returns what they had.
    async fn certify(&self, authority: &Authority) -> anyhow::Result<Vec<Wanted>> {
        let renewed =
            |number, old: &Shown| matches!(old, Shown::Certificate(_)).then(|| shown(authority, number));
        self.hand_out(renewed).await
    }

    /// Lets every caller believe servers of these authorities.
    async fn tell(&self, house: &str) -> anyhow::Result<()> {
        let again = |wanted: &Wanted| Wanted::new(house, wanted.shown.clone());
        let new = self.shared.wanted().1.iter().map(again).collect();
        self.want(new).await
    }

    /// Waits until the server has reloaded once more than `before` times.
    async fn reloaded(&self, outcome: &str, before: u64) -> anyhow::Result<()> {
        self.until(outcome, async |site| Ok(site.reloads(outcome).await? > before)).await
    }

    /// How often the server has reloaded its certificates with this outcome.
    async fn reloads(&self, outcome: &str) -> anyhow::Result<u64> {
        let first = self.shared.wanted().1.first().context("there are no callers")?.clone();
        let metrics = first.connect(self.shared.address).await?.get("/metrics").await?;
        let name = format!("procura_tls_reloads_total{{outcome=\"{outcome}\"}} ");
        let text = String::from_utf8(metrics.body)?;
        let count = text.lines().find_map(|line| line.strip_prefix(&name)).context("no such metric")?;
        Ok(count.parse()?)
    }
}
