// Shows one stream live.
//
//   const player = new Player({ root, stream, screen, language, onState, onStats });
//   player.start(); player.sound(true); player.watchStats(true); player.stop();
//
// root      URL of the pages' root; everything is asked for below it
// stream    the stream's id (`s_…`)
// screen    the element that the picture is put into
// onState   (state, reason): "connecting", "playing", "away", "failed"; the reason is one line for people
// onStats   (text): some lines of numbers, once a second while they are watched
//
// One WebSocket (`api/v1/streams/{id}/live`) a player for its life. JSON texts go both ways, each with a `type`:
//   from the server  {type: "codecs", mse: […]}       what this browser is to be asked for; answered by `hello`
//                    {type: "mode", ways, refused}    ways to show it, best first, each {stream, mode, sound, note?}
//                    {type: "answer", sdp}, {type: "init", mime}, {type: "dropped", n}, {type: "stats", …}
//                    {type: "state", state, reason?}, {type: "error", reason, status, ways?, retry_after_s?}
//   to the server    {type: "hello", webrtc, mse, sound}, {type: "offer", sdp}, {type: "mode", mode}, {type: "ping"}
// Binary messages are pieces of MP4 after `init`, and whole JPEGs. The ways are tried in their order until a frame is shown.

const ICE_TIME = 4000;
const FIRST_FRAME = 4000;
const PING = 25000;
const DISCONNECTED = 5000;
const KEPT = 10;

const WORDS = {
  en: {
    connecting: "connecting …", away: "the camera is away", again: "connection lost, trying again",
    none: "this browser plays none of the formats there are", slow: "no picture came: trying {}", refused: "not possible: {}",
    unreached: "media cannot reach you: set live address", nothing: "no picture came",
    said: [],
  },
  ru: {
    connecting: "подключение…", away: "камера недоступна", again: "связь потеряна, подключение повторяется",
    none: "этот браузер не воспроизводит ни один из форматов", slow: "изображения нет, пробуем {}", refused: "не удалось: {}",
    unreached: "видео до вас не доходит: задайте live address", nothing: "изображение не пришло",
    // What the server says; {} stands for a codec.
    said: [
      ["another stream of this device is shown, since the browser cannot play this one", "показан другой поток этого устройства: этот браузер не воспроизводит"],
      ["key frames alone, without sound", "только ключевые кадры, без звука"],
      ["the camera sends no whole key frames, so the picture may take a while to be clear", "камера не передаёт целых ключевых кадров, изображение станет чётким не сразу"],
      ["without sound, since WebRTC does not carry the camera's audio codec", "без звука: WebRTC не передаёт аудиокодек камеры"],
      ["without sound, since the browser does not play the camera's audio codec", "без звука: браузер не воспроизводит аудиокодек камеры"],
      ["{} cannot be sent by WebRTC", "{} нельзя передать по WebRTC"],
      ["the camera sends B-frames, which WebRTC cannot show", "камера передаёт B-кадры, которые WebRTC не показывает"],
      ["this browser plays no {} by WebRTC", "этот браузер не воспроизводит {} по WebRTC"],
      ["{} video cannot be sent as MP4", "видео {} нельзя передать в MP4"],
      ["this browser plays no {} by media source extensions", "этот браузер не воспроизводит {} через Media Source Extensions"],
      ["the stream cannot be shown in this way", "поток нельзя показать этим способом"],
      ["the camera demands a login", "камера требует входа"],
      ["the camera takes no login at the moment", "камера сейчас не принимает вход"],
      ["the login rests: the camera refused it before", "пароль больше не отправляется: камера его отклонила"],
      ["the camera refuses the login", "камера отклоняет вход"],
      ["the camera does not answer", "камера не отвечает"],
      ["the camera takes no connection", "камера не принимает соединение"],
      ["the camera cannot be reached", "до камеры нет пути"],
      ["the camera ended the connection", "камера закрыла соединение"],
      ["the camera's encryption cannot be agreed on", "не удалось согласовать шифрование с камерой"],
      ["the camera serves no further viewer", "камера не принимает больше зрителей"],
      ["the camera has no such stream", "у камеры нет такого потока"],
      ["the camera sends elsewhere", "камера отсылает в другое место"],
      ["this machine lacks something: see the log", "на этом компьютере чего-то не хватает: см. журнал"],
      ["the camera answers with an error", "камера отвечает ошибкой"],
      ["the stream has no picture", "в потоке нет изображения"],
      ["the camera encrypts the stream (SRTP)", "камера шифрует поток (SRTP)"],
      ["the camera sends a codec that cannot be shown", "камера передаёт кодек, который нельзя показать"],
      ["the camera sends no whole picture", "камера не передаёт ни одного целого кадра"],
      ["too many streams are watched at once", "одновременно смотрят слишком много потоков"],
      ["the camera is not asked", "камеру не запрашивают"],
      ["no picture has come from the camera yet", "от камеры ещё не пришло изображение"],
      ["there is no such stream", "такого потока нет"],
      ["as many viewers watch as may", "зрителей уже столько, сколько разрешено"],
    ],
  },
};

// Sentences of the server in the page's language; what it has no words for stays as it is.
function inWords(text, said) {
  return (text ?? "").split("; ").map((sentence) => {
    for (const [from, to] of said) {
      if (sentence === from) return to;
      const [before, after] = from.split("{}");
      const isLike = after !== undefined && sentence.startsWith(before) && sentence.endsWith(after);
      if (isLike) return to.replace("{}", () => sentence.slice(before.length, sentence.length - after.length));
    }
    return sentence;
  }).join("; ");
}

// What this browser can play, of the codecs that were named.
export function abilities(named) {
  const Source = globalThis.ManagedMediaSource || globalThis.MediaSource;
  const received = ["video", "audio"].flatMap((kind) => globalThis.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs ?? []);
  return {
    webrtc: Array.from(new Set(received.map((codec) => codec.mimeType))),
    mse: (named ?? []).filter((codec) => Source?.isTypeSupported?.(`video/mp4; codecs="${codec}"`)),
    sound: true,
  };
}

export class Player {
  constructor(options) {
    Object.assign(this, options);
    this.words = WORDS[this.language] ?? WORDS.en;
    this.tries = 0;
    this.muted = true;
    this.ways = [];
    this.counts = { bytes: 0, frames: 0, dropped: 0, since: performance.now() };
  }

  start() {
    this.ended = false;
    this.open();
  }

  stop() {
    this.ended = true;
    clearTimeout(this.again);
    this.watchStats(false);
    this.close();
  }

  // Whether there is sound now.
  sound(on) {
    this.muted = !on;
    if (this.video) {
      this.video.muted = this.muted;
      this.play(this.video);
    }
    return on;
  }

  // Plays; where the browser allows no sound before somebody has touched the page, without it.
  play(video) {
    video.play().catch((error) => {
      if (error.name !== "NotAllowedError" || this.video !== video || video.muted) return;
      video.muted = true;
      video.play().catch(() => {});
    });
  }

  watchStats(on) {
    clearInterval(this.statsTimer);
    if (on) this.statsTimer = setInterval(() => this.tell(), 1000);
  }

  inWords(text) {
    return inWords(text, this.words.said);
  }

  say(state, reason = "") {
    this.state = state;
    this.onState?.(state, reason);
  }

  // The connection ---------------------------------------------------------------------------------------------------

  open() {
    this.say("connecting", this.words.connecting);
    const url = new URL(`api/v1/streams/${encodeURIComponent(this.stream)}/live`, this.root);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.pings = setInterval(() => this.send({ type: "ping" }), PING);
    };
    socket.onmessage = ({ data }) => (typeof data === "string" ? this.told(data) : this.took(data));
    socket.onclose = ({ reason }) => { if (this.socket === socket) this.lost(reason); };
  }

  close() {
    clearInterval(this.pings);
    const socket = this.socket;
    this.socket = null;
    if (socket) { socket.onclose = null; socket.close(); }
    this.endMode();
  }

  // 1, 2, 4 … 15 s, each a little different, so that not all come at once.
  lost(reason) {
    this.close();
    if (this.ended) return;
    const wait = Math.min(15000, 1000 * 2 ** this.tries++) * (0.8 + 0.4 * Math.random());
    this.say("away", reason || this.words.again);
    this.again = setTimeout(() => this.open(), wait);
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // Begins the best way that is left.
  next(after) {
    this.endMode();
    const way = this.ways.shift();
    if (!way) return this.give(after && [this.words.nothing, this.reason].filter(Boolean).join("; "));
    if (way.stream && way.stream !== this.stream) return this.other(way);
    if (after) this.say("connecting", this.words.slow.replace("{}", way.mode.toUpperCase()));
    this.note = this.inWords(way.note);
    this.begin(way);
  }

  // Nothing is left: why, and once more after a while where that may help.
  give(why) {
    if (this.retryAfter) return this.lost(this.reason);
    this.ended = true;
    this.close();
    this.say("failed", why || this.reason || this.words.none);
  }

  // Another stream of the device is shown in its place.
  other(way) {
    this.close();
    this.stream = way.stream;
    this.open();
  }

  told(text) {
    let message;
    try { message = JSON.parse(text); } catch { return; }
    if (message.type === "codecs") this.send({ type: "hello", ...abilities(message.mse) });
    else if (message.type === "mode") this.choose(message);
    else if (message.type === "answer") this.peer?.setRemoteDescription({ type: "answer", sdp: message.sdp }).catch(() => this.next(true));
    else if (message.type === "init") this.beginMse(message.mime);
    else if (message.type === "dropped") this.counts.dropped += message.n ?? 0;
    else if (message.type === "stats") this.remote = message;
    else if (message.type === "state") this.changed(message);
    else if (message.type === "error") this.failed(message);
  }

  choose({ ways, refused }) {
    this.ways = Array.from(ways ?? []);
    this.reason = (refused ?? []).map(({ mode, reason }) => `${mode}: ${this.inWords(reason)}`).join("; ");
    this.next();
  }

  // How the camera is. Frames that go on say more than words.
  changed({ state, reason }) {
    if (state === "live" || state === "playing") {
      if (this.state === "away" && (this.video || this.image)) this.say("playing", this.note);
    } else {
      const begins = state === "connecting" || state === "idle";
      this.say(begins ? "connecting" : "away", this.inWords(reason) || (begins ? this.words.connecting : this.words.away));
    }
  }

  failed(message) {
    this.reason = this.inWords(message.reason);
    this.retryAfter = message.retry_after_s ?? 0;
    if (message.ways?.length) this.ways = Array.from(message.ways);
    if (this.ways.length) this.next(true);
    else this.give(this.words.refused.replace("{}", () => this.reason));
  }

  // One way ----------------------------------------------------------------------------------------------------------

  begin(way) {
    this.mode = way.mode;
    const interval = (this.remote?.source?.keyframe_interval_s ?? 0) * 1500;
    const patience = Math.max(FIRST_FRAME, interval) + (this.mode === "webrtc" ? ICE_TIME : 0) + (this.mode === "stills" ? 20000 : 0);
    this.watchdog = setTimeout(() => { if (this.state !== "playing") this.next(true); }, patience);
    if (this.mode === "webrtc") this.beginWebRtc(way);
    else if (this.mode === "mse") this.send({ type: "mode", mode: "mse" });
    else this.beginJpeg();
  }

  endMode() {
    clearTimeout(this.watchdog);
    clearTimeout(this.disconnected);
    this.peer?.close();
    this.peer = null;
    this.takeOut();
  }

  takeOut() {
    this.buffer = null;
    this.queue = [];
    if (this.video) { this.video.removeAttribute("src"); this.video.srcObject = null; this.video.remove(); }
    this.video = null;
    this.image?.remove();
    this.image = null;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  element() {
    const video = document.createElement("video");
    Object.assign(video, { muted: this.muted, autoplay: true, playsInline: true, disableRemotePlayback: true });
    this.screen.append(video);
    this.video = video;
    video.onplaying = () => this.shows();
    video.onerror = () => { if (this.video === video) this.next(true); };
    return video;
  }

  shows() {
    clearTimeout(this.watchdog);
    this.tries = 0;
    this.say("playing", [this.unreached, this.note].filter(Boolean).join("; "));
  }

  async beginWebRtc(way) {
    const peer = new RTCPeerConnection();
    this.peer = peer;
    peer.addTransceiver("video", { direction: "recvonly" });
    // A silent track would hold the picture back: it is played in step with it.
    if (way.sound) peer.addTransceiver("audio", { direction: "recvonly" });
    const video = this.element();
    const media = new MediaStream();
    peer.ontrack = ({ track, receiver }) => {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      media.addTrack(track);
      video.srcObject = media;
      this.play(video);
    };
    const ice = setTimeout(() => {
      if (this.peer !== peer || ["connected", "completed"].includes(peer.iceConnectionState)) return;
      // What every installer meets once: the page is reached, and this machine's other port is not.
      this.unreached = this.words.unreached;
      this.next(true);
    }, ICE_TIME);
    peer.onconnectionstatechange = () => {
      clearTimeout(this.disconnected);
      if (peer.connectionState === "connected") clearTimeout(ice);
      if (peer.connectionState === "failed" && this.peer === peer) this.next(true);
      // Not yet failed: Safari says so from time to time and goes on.
      if (peer.connectionState === "disconnected") this.disconnected = setTimeout(() => { if (this.peer === peer) { this.ways.unshift(way); this.next(); } }, DISCONNECTED);
    };
    await peer.setLocalDescription();
    if (this.peer === peer) this.send({ type: "offer", sdp: peer.localDescription.sdp });
  }

  // At first, and again where the camera changes what it sends.
  beginMse(mime) {
    const Source = globalThis.ManagedMediaSource || globalThis.MediaSource;
    if (this.mode !== "mse") return;
    if (!mime || !Source?.isTypeSupported(mime)) return this.next(true);
    this.takeOut();
    const video = this.element();
    const source = new Source();
    this.url = URL.createObjectURL(source);
    this.queue = [];
    source.onsourceopen = () => {
      if (this.video !== video) return;
      try { this.buffer = source.addSourceBuffer(mime); } catch { return this.next(true); }
      this.buffer.mode = "segments";
      this.buffer.onupdateend = () => { this.chase(); this.append(); };
      this.append();
    };
    video.src = this.url;
  }

  append() {
    const buffer = this.buffer;
    if (!buffer || buffer.updating || this.queue.length === 0) return;
    try {
      buffer.appendBuffer(this.queue[0]);
      this.queue.shift();
    } catch (error) {
      if (error.name !== "QuotaExceededError") return this.next(true);
      this.forget(KEPT / 2);
    }
  }

  // Close behind the camera: a little faster when behind, a little slower when the buffer runs dry, a jump when far off.
  chase() {
    const { video, buffer } = this;
    if (!video || !buffer || buffer.updating || buffer.buffered.length === 0) return;
    const end = buffer.buffered.end(buffer.buffered.length - 1);
    const gap = end - video.currentTime;
    if (gap > 1 || video.currentTime < buffer.buffered.start(buffer.buffered.length - 1)) video.currentTime = Math.max(0, end - 0.1);
    else if (!/^((?!chrome|android).)*safari/i.test(navigator.userAgent)) video.playbackRate = gap > 0.2 ? 1.15 : gap < 0.06 ? 0.95 : 1;
    if (video.paused) this.play(video);
    this.gap = gap;
    this.forget(KEPT);
  }

  forget(seconds) {
    const { video, buffer } = this;
    if (buffer.updating || buffer.buffered.length === 0) return;
    const start = buffer.buffered.start(0);
    if (video.currentTime - start > seconds) buffer.remove(start, video.currentTime - seconds / 2);
  }

  beginJpeg() {
    this.send({ type: "mode", mode: this.mode });
    const image = document.createElement("img");
    image.alt = "";
    this.screen.append(image);
    this.image = image;
    image.onload = () => { if (this.state !== "playing") this.shows(); };
  }

  took(data) {
    this.counts.bytes += data.byteLength;
    this.counts.frames += 1;
    if (this.mode === "mse") {
      this.queue.push(data);
      if (this.queue.length > 500) this.queue.splice(0, this.queue.length - 500);
      this.append();
    } else if (this.image) {
      const url = URL.createObjectURL(new Blob([data], { type: "image/jpeg" }));
      this.image.src = url;
      if (this.url) URL.revokeObjectURL(this.url);
      this.url = url;
    }
  }

  // Numbers ----------------------------------------------------------------------------------------------------------

  async tell() {
    const lines = [String(this.mode ?? "").toUpperCase()];
    const now = performance.now();
    const seconds = (now - this.counts.since) / 1000;
    let { bytes, frames } = this.counts;
    if (this.peer) {
      const report = await this.peer.getStats();
      for (const one of report.values()) {
        if (one.type !== "inbound-rtp" || one.kind !== "video") continue;
        const before = this.before ?? one;
        this.before = one;
        [bytes, frames] = [one.bytesReceived - before.bytesReceived, one.framesDecoded - before.framesDecoded];
        lines.push(`${one.frameWidth ?? "?"}×${one.frameHeight ?? "?"}`, `lost ${one.packetsLost}  jitter ${Math.round((one.jitter ?? 0) * 1000)} ms`);
      }
    } else if (this.video) {
      lines.push(`${this.video.videoWidth}×${this.video.videoHeight}`, `behind ${Math.round((this.gap ?? 0) * 1000)} ms`);
    } else if (this.image) {
      lines.push(`${this.image.naturalWidth}×${this.image.naturalHeight}`);
    }
    lines.push(`${Math.round(frames / seconds)} fps  ${Math.round(bytes * 8 / seconds / 1000)} kbit/s`);
    if (this.counts.dropped) lines.push(`dropped ${this.counts.dropped}`);
    this.counts = { ...this.counts, bytes: 0, frames: 0, since: now };
    this.onStats?.(lines.join("\n"));
  }
}
