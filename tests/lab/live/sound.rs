//! What the page's player sounds like: a tone of the camera's, measured where the browser plays it.

use serde_json::{Value, json};

use super::page::{Served, camera, connect, is_shown};
use super::place::h264;
use crate::browser::{Browser, on_a_runtime};
use crate::ns::need;
use crate::trial::Skip;

/// Listens for two seconds: the strongest frequency, how strong it is, and how strong everything is together, each as the
/// strongest of many looks. An element that plays MP4 is heard behind its own switch. Of one that plays a session of WebRTC
/// Chromium gives nothing there, so what is heard is what comes to it, and the switch is all that can be looked at.
const LISTEN: &str = "
    const done = arguments[arguments.length - 1];
    (async () => {
        const video = document.querySelector('.tile video');
        window.ears ??= new AudioContext();
        await window.ears.resume();
        if (window.ears.of !== video) {
            const analyser = window.ears.createAnalyser();
            analyser.fftSize = 16384;
            const source = video.srcObject ? window.ears.createMediaStreamSource(video.srcObject) : window.ears.createMediaElementSource(video);
            source.connect(analyser);
            Object.assign(window.ears, { of: video, analyser });
        }
        const { analyser, sampleRate } = window.ears;
        const bins = new Float32Array(analyser.frequencyBinCount), samples = new Float32Array(analyser.fftSize);
        let [hertz, level, loudest] = [0, -Infinity, 0];
        await new Promise((resolve) => setTimeout(resolve, 1000));
        for (let look = 0; look < 20; look += 1) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            analyser.getFloatFrequencyData(bins);
            analyser.getFloatTimeDomainData(samples);
            bins.forEach((now, bin) => { if (now > level) [level, hertz] = [now, bin * sampleRate / analyser.fftSize]; });
            samples.forEach((sample) => { loudest = Math.max(loudest, Math.abs(sample)); });
        }
        return { hertz, level, loudest, muted: video.muted, state: window.ears.state };
    })().then(done, (error) => done({ error: String(error) }));";

async fn heard(browser: &Browser) -> Value {
    browser.page.execute_async(LISTEN, Vec::new()).await.unwrap().json().clone()
}

/// The camera's tone is heard in every form in which sound comes, and nothing is when it is switched off.
pub fn a_tone_of_the_camera_is_heard_in_chromium() -> Result<(), Skip> {
    need(&["/usr/bin/chromium", "/usr/bin/chromedriver"])?;
    let sound = |form: &str| format!("{} audiotestsrc is-live=true freq=440 ! audio/x-raw,{form}", h264("640x480"));
    let all = [
        ("127.77.0.30", "Opus", sound("rate=48000,channels=2 ! opusenc ! rtpopuspay name=pay1 pt=97"), "webrtc"),
        ("127.77.0.31", "G.711", sound("rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay1"), "webrtc"),
        (
            "127.77.0.32",
            "AAC",
            sound("rate=16000,channels=1 ! avenc_aac bitrate=32000 ! rtpmp4gpay name=pay1 pt=97"),
            "mse",
        ),
    ];
    on_a_runtime(async {
        let _cameras = all.each_ref().map(|(address, _, pipeline, _)| camera(address, pipeline));
        let served = Served::start(&all.each_ref().map(|(address, ..)| *address)).await;
        let browser = Browser::start().await;
        for (address, what, _, mode) in &all {
            connect(&browser, &served, address).await;
            is_shown(&browser, what, mode).await;
            for is_on in [true, false, true] {
                let heard = heard(&browser).await;
                println!("{what}, {}: {heard}", if is_on { "on" } else { "off" });
                assert_eq!(heard["muted"], json!(!is_on), "{what}: {heard}");
                let (hertz, loudest) = (heard["hertz"].as_f64().unwrap(), heard["loudest"].as_f64().unwrap());
                match is_on {
                    true => assert!((435.0..445.0).contains(&hertz) && loudest > 0.1, "{what}: {heard}"),
                    false => assert!(*mode == "webrtc" || loudest < 0.001, "{what}: {heard}"),
                }
                browser.wait(".tile [data-do=sound]").await.click().await.unwrap();
            }
        }
        browser.page.quit().await.unwrap();
    })
}
