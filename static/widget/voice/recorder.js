import { ask } from "./ask.js";

const LONGEST = 60; // seconds
const SILENT = 8; // seconds, after which nobody is taken to speak
const LOUD = 0.02; // of 1: what is louder is somebody who speaks

/**
 * A recording, which the server turns into words.
 * @param {import("../own.js").Chat} chat
 * @param {import("./listener.js").Ears} ears
 * @returns {import("./listener.js").Session | undefined} nothing where a browser cannot record
 */
export function recorded(chat, { heard, end, where, quiet }) {
  if (!navigator.mediaDevices || !globalThis.MediaRecorder) return;
  let over = false;
  /** @type {MediaRecorder | undefined} */
  let recorder;
  const gone = new AbortController();

  /** @param {Blob} body */
  const written = async (body) => {
    const path = `transcribe?language=${chat.language.lang}`;
    const response = await ask(chat, path, { method: "POST", body, signal: gone.signal });
    return (await response.json()).text;
  };

  const record = async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const context = new AudioContext();
    const meter = context.createAnalyser();
    context.createMediaStreamSource(stream).connect(meter);
    const wave = new Float32Array(meter.fftSize);
    const begun = performance.now();
    let loud = 0;
    let silent = false;
    const watch = setInterval(() => {
      const now = performance.now();
      meter.getFloatTimeDomainData(wave);
      if (Math.max(...wave) > LOUD) loud = now;
      if (loud) quiet((now - loud) / 1000);
      silent = !loud && now - begun > SILENT * 1000;
      if (silent || now - begun > LONGEST * 1000) recorder?.stop();
    }, 100);
    recorder = new MediaRecorder(stream);
    /** @type {Blob[]} */
    const pieces = [];
    recorder.ondataavailable = ({ data }) => pieces.push(data);
    recorder.onstop = () => {
      clearInterval(watch);
      context.close();
      for (const track of stream.getTracks()) track.stop();
      if (gone.signal.aborted) return;
      if (silent) return end("no-speech");
      const type = recorder?.mimeType;
      written(new Blob(pieces, { type })).then(
        (text) => {
          heard(text);
          end(text ? undefined : "no-speech");
        },
        () => end("network"),
      );
    };
    recorder.start();
    if (over) recorder.stop();
    else where("server");
  };
  /** As recognition would name it. @type {Record<string, string>} */
  const names = { NotAllowedError: "not-allowed", NotFoundError: "audio-capture" };
  record().catch(({ name }) => end(names[name] ?? "unable"));
  const stop = () => {
    over = true;
    if (recorder?.state === "recording") recorder.stop();
  };
  return {
    stop,
    abort() {
      gone.abort();
      stop();
    },
  };
}
