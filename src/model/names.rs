//! Enums with names: one list gives the type, its names in Rust, in the report and in the report's schema.

/// An enum of [`names!`], for code that reads a name of any of them.
pub trait Named: Copy + 'static {
    /// Every value with its name, in the order of the list.
    const TABLE: &'static [(&'static str, Self)];
}

/// Defines an enum by its values and their names. It gets `ALL`, `as_str`, `from_name`, `Display` and [`Named`]; serde
/// and the JSON Schema use the same names.
macro_rules! names {
    ($(#[$attribute:meta])* pub enum $type:ident { $($(#[$of_value:meta])* $value:ident = $name:literal,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum $type {
            $($(#[$of_value])* #[serde(rename = $name)] $value,)+
        }

        impl $type {
            /// Every value, in the order of the list.
            pub const ALL: [$type; [$($name),+].len()] = [$($type::$value),+];

            /// The name, as it stands in a report and on the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($type::$value => $name,)+
                }
            }

            /// The value of exactly that name.
            pub fn from_name(name: &str) -> Option<$type> {
                Self::ALL.into_iter().find(|value| value.as_str() == name)
            }
        }

        impl $crate::model::names::Named for $type {
            const TABLE: &'static [(&'static str, Self)] = &[$(($name, $type::$value)),+];
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

pub(crate) use names;

#[cfg(test)]
mod tests {
    names! {
        /// What a fruit is.
        pub enum Fruit {
            /// Red or green.
            Apple = "apple",
            /// Two words.
            SweetCherry = "sweet_cherry",
        }
    }

    #[test]
    fn rust_and_serde_use_the_same_names() {
        assert_eq!(Fruit::ALL.map(Fruit::as_str), ["apple", "sweet_cherry"]);
        for fruit in Fruit::ALL {
            assert_eq!(Fruit::from_name(fruit.as_str()), Some(fruit));
            assert_eq!(serde_json::to_value(fruit).unwrap(), fruit.as_str());
            assert_eq!(serde_json::from_value::<Fruit>(fruit.to_string().into()).unwrap(), fruit);
        }
        assert_eq!(Fruit::from_name("Apple"), None);
    }

    #[cfg(feature = "schema")]
    #[test]
    fn the_schema_lists_the_names_with_their_meaning() {
        let schema = schemars::schema_for!(Fruit).to_value();
        let choices = schema["oneOf"].as_array().unwrap();
        assert_eq!(choices.iter().map(|c| c["const"].as_str().unwrap()).collect::<Vec<_>>(), ["apple", "sweet_cherry"]);
        assert_eq!(choices[1]["description"], "Two words.");
    }
}
