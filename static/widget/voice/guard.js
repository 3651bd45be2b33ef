const LOOK = 10; // milliseconds between two looks at how loud it is
const SLICE = 0.015; // seconds
const SLICES = 4; // one after the other: what is shorter than them is a click or a cough
const LOUD = 0.02; // of 1: nothing softer is a voice
const OVER = 2.5; // times as loud as what the microphone hears of the reply itself
const LEARN = 600; // milliseconds of the reply in which it is learnt how much of it comes back
// By so much of the difference the floor follows at each look. It rises slowly enough that a voice
// stands out from it, and falls so slowly that a pause between two sentences does not count.
const [AT_FIRST, RISE, FALL] = [0.3, 0.02, 0.002];

/** It watches, or has no microphone and never will. */
let busy = false;

/**
 * Hears when somebody speaks over a reply that is being read. The microphone is open for as long
 * only, and what it hears is measured and goes nowhere; where there is none, a tap ends a reply.
 * @param {{players: import("./buttons.js").Players}} voice
 * @param {() => unknown} wanted
 * @param {() => void} spoke
 */
export async function guard({ players }, wanted, spoke) {
  if (busy) return;
  busy = true;
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true } });
  const context = new AudioContext();
  const meter = context.createAnalyser();
  meter.fftSize = 16384;
  context.createMediaStreamSource(stream).connect(meter);
  const wave = new Float32Array(meter.fftSize);
  const size = Math.round(context.sampleRate * SLICE);
  let floor = 0;
  let learnt = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    meter.getFloatTimeDomainData(wave);
    const level = lowest(wave, size);
    const now = performance.now();
    const sounds = globalThis.speechSynthesis?.speaking || players.some((it) => !it.paused);
    if (sounds) learnt += now - last;
    last = now;
    const learns = sounds && learnt < LEARN;
    if (wanted() && !learns && level > Math.max(LOUD, OVER * floor)) spoke();
    floor += (level - floor) * (level < floor ? FALL : learns ? AT_FIRST : RISE);
    if (wanted()) return;
    clearInterval(timer);
    context.close();
    for (const track of stream.getTracks()) track.stop();
    busy = false;
  }, LOOK);
}

/** How loud the last slices were, each of them. @param {Float32Array} wave @param {number} size */
function lowest(wave, size) {
  const levels = [];
  for (let n = 1, end = wave.length; n <= SLICES; n++, end -= size) {
    levels.push(Math.hypot(...wave.subarray(end - size, end)) / Math.sqrt(size));
  }
  return Math.min(...levels);
}
