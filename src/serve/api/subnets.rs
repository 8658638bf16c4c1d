//! Networks, in numbers and address by address.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::list::Items;
use super::table::{Endpoint, get};
use crate::model::access::Scope;
use crate::serve::problem::Problem;
use crate::serve::view::subnet::{SubnetDetail, SubnetView};
use crate::serve::{App, act};

/// Their rows.
pub fn rows() -> Vec<Endpoint> {
    vec![
        get("/subnets", Scope::Read, list, "Every network, in numbers").answers::<Items<SubnetView>>(200, "By address"),
        get("/subnets/{net}", Scope::Read, subnet, "A network address by address")
            .answers::<SubnetDetail>(200, "The network"),
    ]
}

async fn list(State(app): State<Arc<App>>) -> Result<Json<Items<SubnetView>>, Problem> {
    Ok(Json(Items { items: act::sight(&app).await?.subnets() }))
}

async fn subnet(State(app): State<Arc<App>>, Path(net): Path<String>) -> Result<Json<SubnetDetail>, Problem> {
    let none = || Problem::not_found("there is no such network");
    let network = net.parse().map_err(|_| none())?;
    let asked = act::last_report(&app).await?.map(|report| report.scan.asked).unwrap_or_default();
    act::sight(&app).await?.subnet(network, &asked).map(Json).ok_or_else(none)
}
