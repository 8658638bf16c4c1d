//! AMF0, the encoding of RTMP's commands and metadata (Adobe, "Action Message Format – AMF 0"). Pure.

/// Values within values at most.
const MAX_DEPTH: usize = 8;
/// Values read of one message at most.
const MAX_VALUES: usize = 2048;

/// A value. Text is as sent, not yet cleaned for people.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number; times are in seconds, rates in what their name says.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A text.
    Text(String),
    /// Named values: objects and ECMA arrays.
    Object(Vec<(String, Value)>),
    /// Values in order.
    Array(Vec<Value>),
    /// Null, undefined and what is not read.
    Null,
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(fields) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Value::Number(number) => {
                out.push(0);
                out.extend(number.to_be_bytes());
            }
            Value::Boolean(value) => out.extend([1, u8::from(*value)]),
            Value::Text(text) => match u16::try_from(text.len()) {
                Ok(_) => {
                    out.push(2);
                    emit_name(text, out);
                }
                Err(_) => {
                    out.push(12);
                    out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                    out.extend(text.as_bytes());
                }
            },
            Value::Object(fields) => {
                out.push(3);
                for (name, value) in fields {
                    emit_name(name, out);
                    value.emit(out);
                }
                out.extend([0, 0, 9]);
            }
            Value::Array(values) => {
                out.push(10);
                out.extend(u32::try_from(values.len()).unwrap_or(u32::MAX).to_be_bytes());
                values.iter().for_each(|v| v.emit(out));
            }
            Value::Null => out.push(5),
        }
    }
}

/// A name with its length before it, cut where it is longer than can be said.
fn emit_name(name: &str, out: &mut Vec<u8>) {
    let bytes = name.as_bytes().get(..usize::from(u16::MAX)).unwrap_or(name.as_bytes());
    out.extend(u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    out.extend(bytes);
}

/// The bytes of values, one after the other.
pub fn emit(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|v| v.emit(&mut out));
    out
}

/// Reads values until the bytes end or make no sense; what came before stands.
pub fn parse(bytes: &[u8]) -> Vec<Value> {
    let mut reader = Reader { rest: bytes, left: MAX_VALUES };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        let Some(value) = reader.value(0) else { break };
        values.push(value);
    }
    values
}

struct Reader<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(head)
    }

    fn name(&mut self) -> Option<String> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        self.bytes(length).map(|b| String::from_utf8_lossy(b).into_owned())
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.array()?)).ok()
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        Some(match self.array::<1>()? {
            [0] => Value::Number(f64::from_be_bytes(self.array()?)),
            [1] => Value::Boolean(self.array::<1>()? != [0]),
            [2] => Value::Text(self.name()?),
            [3] => Value::Object(self.fields(depth)?),
            [5 | 6 | 13] => Value::Null,
            [7] => self.array::<2>().map(|_| Value::Null)?,
            [8] => {
                // The count is often wrong; the end mark counts.
                self.length()?;
                Value::Object(self.fields(depth)?)
            }
            [10] => {
                let count = self.length()?;
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::Array(values)
            }
            [11] => {
                let time = f64::from_be_bytes(self.array()?);
                self.array::<2>()?;
                Value::Number(time / 1000.0)
            }
            [12 | 15] => {
                let length = self.length()?;
                Value::Text(String::from_utf8_lossy(self.bytes(length)?).into_owned())
            }
            [16] => {
                self.name()?;
                Value::Object(self.fields(depth)?)
            }
            _ => return None,
        })
    }

    fn fields(&mut self, depth: usize) -> Option<Vec<(String, Value)>> {
        let mut fields = Vec::new();
        loop {
            let name = self.name()?;
            if name.is_empty() && self.rest.first() == Some(&9) {
                self.array::<1>()?;
                return Some(fields);
            }
            fields.push((name, self.value(depth + 1)?));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arrays_with_wrong_counts_and_what_is_cut_off() {
        let mut bytes = emit(&[Value::text("onMetaData")]);
        bytes.extend([8, 0, 0, 0, 99]);
        bytes.extend([0, 5, b'w', b'i', b'd', b't', b'h', 0]);
        bytes.extend(1920f64.to_be_bytes());
        bytes.extend([0, 0, 9, 2, 0, 9, b'c']);
        let values = parse(&bytes);
        assert_eq!(values.len(), 2);
        assert_eq!(values[1].get("width").and_then(Value::as_number), Some(1920.0));
        let nested = [10, 0, 0, 0, 1].repeat(1000);
        assert_eq!(parse(&nested), []);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(|n| Value::Number(n.into())),
            any::<bool>().prop_map(Value::Boolean),
            "\\PC{0,12}".prop_map(Value::Text),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec(("[a-z]{1,6}", inner), 0..4).prop_map(Value::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_reads_the_same(values in prop::collection::vec(value(), 0..5)) {
            prop_assert_eq!(parse(&emit(&values)), values);
        }
    }
}
