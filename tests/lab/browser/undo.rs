//! Two devices that somebody merges, and the way back: by the buttons of the pages alone.

use serde_json::json;

use super::{Browser, Site, on_a_runtime};
use crate::trial::Skip;

impl Browser {
    /// How many devices the first page lists.
    async fn listed(&self, root: &str) -> u64 {
        self.open(root).await;
        self.wait(".card").await;
        self.run("return document.querySelectorAll('.card').length").await.as_u64().unwrap()
    }

    /// Waits for the offer to take back what was done, which is a form that leads there.
    async fn is_offered(&self, does: &str) {
        self.until(&format!("return document.querySelector('#done form')?.action.endsWith('/{does}') === true")).await;
    }
}

/// A merge and a split are each taken back by the button that is offered behind them.
pub fn a_merge_and_a_split_are_taken_back() -> Result<(), Skip> {
    on_a_runtime(async {
        let site = Site::of(6).await;
        site.each_way(async |root, browser| {
            browser.size(1400, 900).await;
            let all = browser.listed(root).await;
            assert!(all >= 2, "{all}");
            let name = "return Array.from(document.querySelectorAll('.card h3'), name => name.textContent.trim())";
            let names = browser.run(name).await;
            // The first one becomes part of the second, as its page lets one say.
            let second = "return document.querySelectorAll('.card')[1].dataset.id";
            let second = browser.run(second).await.as_str().unwrap().to_owned();
            browser.press(".card h3 a").await;
            browser.until("return document.querySelector('form[action$=\"/merge\"]') !== null").await;
            browser.run("document.querySelector('form[action$=\"/merge\"]').closest('details').open = true").await;
            browser.write("form[action$=\"/merge\"] input[name=into]", &second).await;
            browser.press("form[action$=\"/merge\"] button").await;
            browser.is_offered("split").await;
            let here = browser.run("return location.href").await.as_str().unwrap().to_owned();
            assert!(here.contains(&second), "{here}");
            assert_eq!(browser.listed(root).await, all - 1);

            // Not after all.
            browser.open(&here).await;
            browser.press("#done form button").await;
            browser.is_offered("merge").await;
            let here = browser.run("return location.href").await.as_str().unwrap().to_owned();
            assert_eq!(browser.listed(root).await, all);
            assert_eq!(browser.run(name).await, names, "each is as it was");

            // And the split is taken back as well.
            browser.open(&here).await;
            browser.press("#done form button").await;
            browser.is_offered("split").await;
            let here = browser.run("return location.href").await.as_str().unwrap().to_owned();
            assert_eq!(browser.listed(root).await, all - 1);
            browser.open(&here).await;
            browser.press("#done form button").await;
            browser.is_offered("merge").await;
            assert_eq!(json!(browser.listed(root).await), json!(all));
        })
        .await;
    })
}
