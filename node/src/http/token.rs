//! The token that lets one publish: whoever can read its file may.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq as _;

/// Random bytes of a token.
const RANDOM_BYTES: usize = 32;
/// Bytes of its file that are read.
const FILE_BYTES_MAX: usize = 1024;

/// A secret that lets one publish. Never printed.
#[derive(Clone)]
pub struct Token(String);

/// What can go wrong with the token's file.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be made or read.
    #[error("cannot use the token file {}: {source}; check that it is yours", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner have some permission on it.
    #[error(
        "the token file {0} is open to other users; remove it (the next `forsooth run` makes a new one) \
         or close it with: chmod 600 {0}", .path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It has no token in it.
    #[error("the token file {} is damaged; remove it, and the next `forsooth run` makes a new one", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("the system has no randomness for a token: {0}")]
    Randomness(String),
}

impl Token {
    /// A new token.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| TokenError::Randomness(error.to_string()))?;
        Ok(Self(HEXLOWER.encode(&bytes)))
    }

    /// The token in a file, which only its owner may read.
    ///
    /// # Errors
    /// There is none, others can read it, or it is damaged.
    pub fn load(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::Io { path: path.into(), source };
        let metadata = fs::metadata(path).map_err(failed)?;
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
            return Err(TokenError::Exposed { path: path.into() });
        }
        let damaged = || TokenError::Damaged { path: path.into() };
        if !metadata.is_file()
            || usize::try_from(metadata.len()).is_ok_and(|bytes| bytes > FILE_BYTES_MAX)
        {
            return Err(damaged());
        }
        let text = fs::read_to_string(path).map_err(failed)?;
        let token = text.trim();
        let is_token =
            token.len() == 2 * RANDOM_BYTES && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_token { Ok(Self(token.to_owned())) } else { Err(damaged()) }
    }

    /// The token in a file; a new one if there is no file.
    ///
    /// # Errors
    /// As [`Self::load`], or the file cannot be made.
    pub fn load_or_create(path: &Path) -> Result<Self, TokenError> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let failed = |source| TokenError::Io { path: path.into(), source };
        match options.open(path) {
            Ok(mut file) => {
                let token = Self::random()?;
                writeln!(file, "{}", token.0).and_then(|()| file.sync_all()).map_err(failed)?;
                Ok(token)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(error) => Err(failed(error)),
        }
    }

    /// The value of the `Authorization` header that shows this token.
    #[must_use]
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether `shown` is this token. How long that takes does not depend on where they differ.
    pub(super) fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_for_the_owner_alone_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.token");
        assert!(matches!(Token::load(&path), Err(TokenError::Io { .. })));
        let made = Token::load_or_create(&path).unwrap();
        let read = Token::load_or_create(&path).unwrap();
        assert!(made.is(&read.0) && !made.is(&Token::random().unwrap().0) && !made.is(""));
        assert!(!format!("{made:?}").contains(&made.0));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let error = Token::load_or_create(&path).unwrap_err().to_string();
            assert!(
                error.contains("open to other users") && error.contains("chmod 600"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_damaged_token_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("http.token");
        Token::load_or_create(&path).unwrap();
        for content in ["", "00", &"0".repeat(63), &"g".repeat(64), &"0".repeat(100_000)] {
            fs::write(&path, content).unwrap();
            assert!(matches!(Token::load(&path), Err(TokenError::Damaged { .. })), "{content:.70}");
        }
    }
}
