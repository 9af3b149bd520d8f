//! Who a node or an author is: an Ed25519 public key, as bytes.

/// The name of a node or an author: the 32 bytes of its Ed25519 public key, as received.
///
/// Nothing checks that the bytes are a point of the curve: an id that is none is a valid name under
/// which no signature holds, so it is found out when its first signature is checked. Two encodings
/// of one point are two ids.
///
/// Text and serde use the 64 lower-case hexadecimal digits.
///
/// ```
/// use forsooth_crypto::NodeId;
///
/// let id: NodeId = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".parse()?;
/// assert_eq!(format!("{id:?}"), "NodeId(d75a9801…)");
/// # Ok::<(), forsooth_crypto::ParseHexError>(())
/// ```
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct NodeId([u8; 32]);

crate::hex::thirty_two_bytes!(NodeId);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InvalidLength, ParseHexError};

    const TEXT: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn id() -> NodeId {
        NodeId::from_bytes(std::array::from_fn(|i| u8::try_from(i).unwrap()))
    }

    #[test]
    fn an_id_is_printed_and_read_back_as_hex() {
        assert_eq!(id().to_string(), TEXT);
        assert_eq!(TEXT.parse(), Ok(id()));
        assert_eq!(TEXT.to_uppercase().parse(), Ok(id()));
        assert_eq!(format!("{:?}", id()), "NodeId(00010203…)");
        assert_eq!(id().short().to_string(), "00010203");
    }

    #[test]
    fn an_id_is_a_hex_string_in_json() {
        let json = serde_json::to_string(&id()).unwrap();
        assert_eq!(json, format!("\"{TEXT}\""));
        assert_eq!(serde_json::from_str::<NodeId>(&json).unwrap(), id());
        let error = serde_json::from_str::<NodeId>("\"00\"").unwrap_err().to_string();
        assert!(error.starts_with("expected 64 hexadecimal digits"), "{error}");
    }

    #[test]
    fn a_wrong_text_is_refused_with_the_place_of_the_error() {
        let short = &TEXT[..63];
        assert_eq!(short.parse::<NodeId>(), Err(ParseHexError::Length { expected: 64, found: 63 }));
        for (position, found) in [(1, 'g'), (64, '☃'), (7, ' ')] {
            let text: String = TEXT
                .chars()
                .enumerate()
                .map(|(i, c)| if i + 1 == position { found } else { c })
                .collect();
            assert_eq!(text.parse::<NodeId>(), Err(ParseHexError::Digit { position, found }));
        }
    }

    #[test]
    fn bytes_of_another_length_are_not_an_id() {
        for found in [0, 31, 33, 64] {
            let bytes = vec![0; found];
            assert_eq!(NodeId::try_from(&bytes[..]), Err(InvalidLength { expected: 32, found }));
        }
        assert_eq!(NodeId::try_from(&id().as_bytes()[..]), Ok(id()));
    }
}
