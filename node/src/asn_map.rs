//! A table of autonomous systems from a file: see [`AsnMap`].
//!
//! The operator fetches it; a node downloads nothing. It is read once, at the start, and may be of any age.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use forsooth_protocol::overlay::asn::AsnError;
pub use forsooth_protocol::overlay::asn::AsnMap;

/// Bytes of a table; more are not read. All routes of today's internet, with names, are about 50 MB.
pub const BYTES_MAX: u64 = 512 << 20;

/// Why a table was not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system does not let us read it.
    #[error("cannot read the table of autonomous systems {}: {source}; check `asn_map`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is larger than [`BYTES_MAX`].
    #[error("{} is larger than {BYTES_MAX} bytes, so it is no table of autonomous systems; check `asn_map`", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is packed.
    #[error("{} is packed: unpack it first, for instance with `gunzip`", .path.display())]
    Packed {
        /// The file.
        path: PathBuf,
    },
    /// A line makes no sense.
    #[error("{}: {error}", .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Which line, and why.
        error: AsnError,
    },
    /// It names no network.
    #[error("{} names no network; it should have one a line, such as `1.0.0.0/24 13335`", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a table from a file.
///
/// # Errors
/// Each way to fail has its variant and says what to do about it.
pub fn load(path: &Path) -> Result<AsnMap, Error> {
    let failed = |source| Error::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > BYTES_MAX {
        return Err(Error::TooLarge { path: path.into() });
    }
    // gzip, bzip2, xz, zip.
    let magic: [&[u8]; 4] = [&[0x1f, 0x8b], b"BZh", &[0xfd, b'7', b'z', b'X', b'Z'], b"PK"];
    if magic.iter().any(|magic| bytes.starts_with(magic)) {
        return Err(Error::Packed { path: path.into() });
    }
    // Names of operators may be in any encoding; they are not looked at.
    let map = AsnMap::parse(&String::from_utf8_lossy(&bytes))
        .map_err(|error| Error::Wrong { path: path.into(), error })?;
    if map.is_empty() { Err(Error::Empty { path: path.into() }) } else { Ok(map) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Result<AsnMap, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asn.txt");
        std::fs::write(&path, content).unwrap();
        load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_is_read_whatever_the_encoding_of_its_names() {
        let map = read(b"1.0.0.0\t1.0.0.255\t13335\tUS\tCAF\xc9\n").unwrap();
        assert_eq!(map.lookup([1, 0, 0, 7].into()), Some(13_335));
    }

    #[test]
    fn what_is_no_table_is_refused_with_what_to_do() {
        for (content, said) in [
            (&b""[..], "asn.txt names no network; it should have one a line"),
            (b"# 1.0.0.0/24 13335\n", "names no network"),
            (b"1.0.0.0/24 0\n", "names no network"),
            (b"\x1f\x8b\x08", "asn.txt is packed: unpack it first"),
            (b"1.0.0.0/24 1\n1.0.0.0/24\n", "asn.txt: line 2: expected the number"),
        ] {
            let error = read(content).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let error = load(Path::new("/nowhere/asn.txt")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/asn.txt") && error.contains("check `asn_map`"), "{error}");
    }
}
