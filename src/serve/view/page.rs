//! Lists page by page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::Query;
use super::fingerprint;
use crate::serve::problem::Problem;

/// What is on a page where nothing is said.
const USUAL: usize = 100;
/// The most that is on one.
pub const MOST: usize = 500;
/// The longest cursor, in bytes.
const LONGEST_CURSOR: usize = 512;
/// What of the text an item is sorted by is in a cursor, in characters.
const LONGEST_KEY: usize = 48;

/// The keys of a [`Paging`].
pub const PAGE_KEYS: [&str; 6] = ["limit", "cursor", "sort", "count", "fields", "format"];

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null on the last one.
    pub next: Option<String>,
    /// How many there are on all pages, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl<T> Page<T> {
    /// The same page of what is made of each item.
    pub fn map<V>(self, make: impl FnMut(T) -> V) -> Page<V> {
        Page { items: self.items.into_iter().map(make).collect(), next: self.next, count: self.count }
    }
}

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    /// The most on it, 1 to 500.
    pub limit: usize,
    /// Whether all are to be counted.
    pub count: bool,
    after: Option<Mark>,
    filter: String,
}

/// The last of a page: what it was sorted by, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "i")]
    id: String,
    /// What tells the query from others.
    #[serde(rename = "f")]
    filter: String,
}

fn foreign() -> Problem {
    Problem::parameter("cursor", "it belongs to another list, or to none; begin without one")
}

impl Paging {
    /// The page a query asks for.
    ///
    /// # Errors
    /// When the limit is none, or the cursor belongs to another query.
    pub fn read(query: &Query) -> Result<Self, Problem> {
        let limit = query.read("limit", "number from 1 to 500", |text| {
            text.parse().ok().filter(|limit| (1..=MOST).contains(limit))
        })?;
        // The same list, however much of it is asked for at once.
        let is_part = |(key, _): &&(String, String)| !["limit", "cursor", "count", "fields"].contains(&key.as_str());
        let mut parts: Vec<&(String, String)> = query.0.iter().filter(is_part).collect();
        parts.sort();
        let filter = fingerprint(&parts);
        let after =
            query.one("cursor")?.map(|text| Mark::read(text).filter(|mark| mark.filter == filter).ok_or_else(foreign));
        Ok(Paging {
            limit: limit.unwrap_or(USUAL),
            count: query.flag("count")?.unwrap_or(false),
            after: after.transpose()?,
            filter,
        })
    }

    /// The page of a list that is sorted by the keys, the greatest first where `is_down`.
    pub fn of<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        is_down: bool,
        key: impl Fn(&T) -> (String, String),
    ) -> Page<T> {
        // A long text is cut, as a cursor cuts it: among those that begin alike, the id decides.
        let cut = |(key, id): (String, String)| (key.chars().take(LONGEST_KEY).collect::<String>(), id);
        let mut all: Vec<((String, String), T)> = items.into_iter().map(|item| (cut(key(&item)), item)).collect();
        all.sort_by(|(a, _), (b, _)| if is_down { b.cmp(a) } else { a.cmp(b) });
        let count = self.count.then_some(all.len() as u64);
        if let Some(Mark { key, id, .. }) = &self.after {
            let is_behind = |own: &(String, String)| {
                let order = (own.0.as_str(), own.1.as_str()).cmp(&(key.as_str(), id.as_str()));
                if is_down { order.is_lt() } else { order.is_gt() }
            };
            all.retain(|(own, _)| is_behind(own));
        }
        let is_more = all.len() > self.limit;
        all.truncate(self.limit);
        let next = all.last().filter(|_| is_more).map(|((key, id), _)| self.mark(key, id));
        Page { items: all.into_iter().map(|(_, item)| item).collect(), next, count }
    }

    /// The id of the last of the page before, where a list is paged by ids alone.
    pub fn after_id(&self) -> Option<&str> {
        self.after.as_ref().map(|mark| mark.id.as_str())
    }

    /// The same where the ids are numbers.
    ///
    /// # Errors
    /// When it is none.
    pub fn after_number(&self) -> Result<Option<i64>, Problem> {
        self.after_id().map(str::parse).transpose().map_err(|_| foreign())
    }

    /// The cursor behind an item.
    pub fn mark(&self, key: &str, id: &str) -> String {
        let mark = Mark { key: key.to_owned(), id: id.to_owned(), filter: self.filter.clone() };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&mark).unwrap_or_default())
    }
}

impl Mark {
    fn read(text: &str) -> Option<Mark> {
        let bytes = URL_SAFE_NO_PAD.decode(Some(text).filter(|text| text.len() <= LONGEST_CURSOR)?).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// A page whose items have these members alone.
pub fn with_fields(page: &mut serde_json::Value, query: &Query) -> Result<(), Problem> {
    let Some(fields) = query.one("fields")? else { return Ok(()) };
    let fields: Vec<&str> = fields.split(',').map(str::trim).filter(|field| !field.is_empty()).collect();
    let items = page.get_mut("items").and_then(serde_json::Value::as_array_mut).into_iter().flatten();
    for item in items.filter_map(serde_json::Value::as_object_mut) {
        item.retain(|name, _| name == "id" || fields.contains(&name.as_str()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(parts: &[(&str, &str)]) -> Query {
        Query(parts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    proptest! {
        #[test]
        fn the_pages_of_a_list_are_the_list(names in proptest::collection::vec("[a-c]{0,3}", 0..40), limit in 1usize..7, is_down: bool) {
            let items: Vec<(String, String)> =
                names.into_iter().enumerate().map(|(n, name)| (name, format!("{n:03}"))).collect();
            let mut seen = Vec::new();
            let limit = limit.to_string();
            let mut parts = vec![("limit", limit.as_str())];
            let mut cursor;
            loop {
                let page = Paging::read(&query(&parts)).unwrap().of(items.clone(), is_down, Clone::clone);
                seen.extend(page.items);
                let Some(next) = page.next else { break };
                cursor = next;
                parts = vec![("limit", limit.as_str()), ("cursor", cursor.as_str())];
            }
            let mut all = items;
            all.sort();
            if is_down { all.reverse(); }
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn any_cursor_does(text in ".*") {
            let _ = Paging::read(&query(&[("cursor", &text)]));
        }
    }

    #[test]
    fn a_cursor_of_another_query_is_refused() {
        let first = Paging::read(&query(&[("limit", "1"), ("tag", "a")])).unwrap();
        let next = first.of(["x", "y"], false, |item| ((*item).to_owned(), (*item).to_owned())).next.unwrap();
        assert!(Paging::read(&query(&[("cursor", &next), ("tag", "a"), ("limit", "2")])).is_ok());
        assert_eq!(Paging::read(&query(&[("cursor", &next), ("tag", "b")])).unwrap_err().status, 400);
        assert!(Paging::read(&query(&[("limit", "0")])).is_err());
        assert!(Paging::read(&query(&[("limit", "501")])).is_err());
    }
}
