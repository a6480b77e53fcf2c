//! One cleaned form for Unix and Windows paths.

/// A path with `/` between its elements, without empty elements, `.`, or `..` that could be resolved.
///
/// `C:\a` is held as `/C:/a`, `\\host\share` as `/host/share`.
pub(super) struct Path {
    pub(super) value: String,
    kind: Kind,
    /// The path is a volume and nothing below it.
    is_volume: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Unix,
    /// With backslashes, without a volume.
    Windows,
    Drive,
    Share,
}

impl Path {
    pub(super) fn parse(text: &str) -> Path {
        let (kind, slashed) = match text {
            share if share.starts_with(r"\\") => (Kind::Share, share.replace('\\', "/")),
            drive if has_drive(drive) => (Kind::Drive, format!("/{}", drive.replace('\\', "/"))),
            windows if windows.contains('\\') => (Kind::Windows, windows.replace('\\', "/")),
            unix => (Kind::Unix, unix.to_owned()),
        };
        let is_volume = match kind {
            Kind::Share => text.trim_start_matches('\\').matches('\\').count() == 1,
            Kind::Drive => text.len() <= 3,
            Kind::Unix | Kind::Windows => false,
        };
        Path { value: clean(&slashed), kind, is_volume }
    }

    /// The path as it is written in its own system.
    pub(super) fn text(&self) -> String {
        self.write(&self.value)
    }

    pub(super) fn base(&self) -> &str {
        match self.value.as_str() {
            "/" => "/",
            value => value.rsplit('/').next().unwrap_or_default(),
        }
    }

    pub(super) fn dir(&self) -> String {
        if self.is_volume {
            let separator = if self.kind == Kind::Drive { "\\" } else { "" };
            return format!("{}{separator}", self.text());
        }
        match (self.value.rsplit_once('/'), self.kind) {
            (None, _) => ".".to_owned(),
            (Some(("", _)), Kind::Unix) => "/".to_owned(),
            (Some((dir, _)), _) => self.write(dir),
        }
    }

    pub(super) fn join(mut self, elements: &[String]) -> Path {
        let mut joined = self.value;
        for element in elements {
            joined.push('/');
            joined.push_str(&Path::parse(element).value);
        }
        self.value = clean(&joined);
        self
    }

    /// The elements that lead from the base here; `None` when only one of the two is absolute or the base climbs
    /// to where nobody knows the names.
    pub(super) fn way_from<'p>(&'p self, base: &'p Path) -> Option<Vec<&'p str>> {
        if self.value.starts_with('/') != base.value.starts_with('/') {
            return None;
        }
        let (from, to) = (elements(&base.value), elements(&self.value));
        let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        let (climbs, descents) = (from.get(shared..)?, to.get(shared..)?);
        if climbs.contains(&"..") {
            return None;
        }
        Some(climbs.iter().map(|_| "..").chain(descents.iter().copied()).collect())
    }

    /// A way as this path would be written.
    pub(super) fn write_way(&self, way: &[&str]) -> String {
        let separator = if self.kind == Kind::Unix { "/" } else { "\\" };
        if way.is_empty() { ".".to_owned() } else { way.join(separator) }
    }

    fn write(&self, value: &str) -> String {
        let backslashed = || value.replace('/', "\\");
        match self.kind {
            Kind::Unix => value.to_owned(),
            Kind::Windows => backslashed(),
            Kind::Drive => backslashed().trim_start_matches('\\').to_owned(),
            Kind::Share => format!("\\{}", backslashed()),
        }
    }
}

/// `C:` of `C:\a`, `\\host\share` of `\\host\share\a`, otherwise nothing.
pub(super) fn volume(text: &str) -> &str {
    if has_drive(text) {
        return text.get(..2).unwrap_or_default();
    }
    let Some(share) = text.strip_prefix(r"\\") else {
        return "";
    };
    match share.split('\\').collect::<Vec<_>>().as_slice() {
        [host, name, ..] if !host.is_empty() && !name.is_empty() => {
            text.get(..3 + host.len() + name.len()).unwrap_or_default()
        }
        _ => "",
    }
}

fn has_drive(text: &str) -> bool {
    matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Without empty elements and `.`; `..` takes the element before it away and vanishes at the root.
fn clean(slashed: &str) -> String {
    let absolute = slashed.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for element in slashed.split('/') {
        match element {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if absolute => {}
            other => kept.push(other),
        }
    }
    let joined = kept.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

fn elements(value: &str) -> Vec<&str> {
    value.split('/').filter(|element| !matches!(*element, "" | ".")).collect()
}
