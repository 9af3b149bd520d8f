//! Fixed-length bytes and their hexadecimal form.
//!
//! The one place where bytes of foreign length or text become arrays. Parsing accepts capitals,
//! printing uses lower case only.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Bytes that should have been an id, a digest or a signature have the wrong length.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} bytes, found {found}")]
pub struct InvalidLength {
    /// How many bytes the value has.
    pub expected: usize,
    /// How many were given.
    pub found: usize,
}

/// A text that should have been an id or a digest in hexadecimal is not.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseHexError {
    /// The text is too short or too long.
    #[error("expected {expected} hexadecimal digits, found {found} characters")]
    Length {
        /// How many digits the value has.
        expected: usize,
        /// How many characters were given.
        found: usize,
    },
    /// A character is not a hexadecimal digit.
    #[error("character {position} is {found:?}, which is not a hexadecimal digit (0-9, a-f)")]
    Digit {
        /// Which character, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
}

/// Reads exactly 64 hexadecimal digits.
pub(crate) fn parse(text: &str) -> Result<[u8; 32], ParseHexError> {
    let is_digit = |c: &char| c.is_ascii_hexdigit();
    if let Some((index, found)) = text.chars().enumerate().find(|(_, c)| !is_digit(c)) {
        return Err(ParseHexError::Digit { position: index + 1, found });
    }
    let mut bytes = [0; 32];
    let wrong_length = ParseHexError::Length { expected: 64, found: text.len() };
    if text.len() != 64 || HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut bytes).is_err() {
        return Err(wrong_length);
    }
    Ok(bytes)
}

/// Takes a slice as an array.
pub(crate) fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], InvalidLength> {
    bytes.try_into().map_err(|_| InvalidLength { expected: N, found: bytes.len() })
}

/// The first four bytes in hexadecimal: enough to tell values apart in a log, never to compare them.
pub(crate) struct Short(pub(crate) [u8; 4]);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(HEXLOWER.encode_mut_str(&self.0, &mut [0; 8]))
    }
}

/// Gives a newtype over `[u8; 32]` its conversions: bytes, text, logs and serde.
macro_rules! thirty_two_bytes {
    ($name:ident) => {
        /// In the order of the bytes. A busy node looks most things up in trees of these, and the first word nearly
        /// always decides.
        impl Ord for $name {
            #[inline]
            fn cmp(&self, other: &Self) -> core::cmp::Ordering {
                self.first_word().cmp(&other.first_word()).then_with(|| self.0.cmp(&other.0))
            }
        }

        impl PartialOrd for $name {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            #[inline]
            const fn first_word(&self) -> u64 {
                let [a, b, c, d, e, f, g, h, ..] = self.0;
                u64::from_be_bytes([a, b, c, d, e, f, g, h])
            }

            /// Takes the bytes as they are.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first 8 hexadecimal digits, for logs.
            pub fn short(&self) -> impl std::fmt::Display + use<> {
                let [a, b, c, d, ..] = self.0;
                crate::hex::Short([a, b, c, d])
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = crate::hex::InvalidLength;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                crate::hex::array(bytes).map(Self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::hex::ParseHexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                crate::hex::parse(text).map(Self)
            }
        }

        /// All 64 hexadecimal digits.
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(data_encoding::HEXLOWER.encode_mut_str(&self.0, &mut [0; 64]))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({}…)"), self.short())
            }
        }

        /// As the 64 hexadecimal digits.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer
                    .serialize_str(data_encoding::HEXLOWER.encode_mut_str(&self.0, &mut [0; 64]))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use thirty_two_bytes;
