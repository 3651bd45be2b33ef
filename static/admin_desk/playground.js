// Talks with the draft that stands in a persona's form, and has it answer real questions again.
// Nothing is kept: the talk is in the page alone.

const bench = () => document.getElementById("workbench");
const talk = [];
let asking = null;

/** A line of the talk: who speaks, and a bubble that words are added to. */
function line(list, role, who) {
  const row = document.createElement("li");
  const head = document.createElement("header");
  const name = document.createElement("b");
  const words = document.createElement("div");
  const small = document.createElement("p");
  row.className = "desk-line";
  row.dataset.role = role;
  name.textContent = who;
  words.className = "desk-bubble";
  words.dir = "auto";
  small.className = "desk-small";
  head.append(name);
  row.append(head, words, small);
  list.append(row);
  return { row, words, small, text: "" };
}

/** The agent's `**bold**` as the widget shows it. */
function emphasised(text) {
  return text.split(/\*\*(?=\S)(.+?\S?)\*\*/).map((part, n) => {
    if (n % 2 === 0) return part;
    const strong = document.createElement("strong");
    strong.textContent = part;
    return strong;
  });
}

const duration = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);
const dollars = (cost) => `$${Number(Number(cost).toFixed(6))}`;

function remark(small, text) {
  const part = document.createElement("span");
  part.textContent = text;
  small.append(part);
}

/** Shows one event of the stream; see chat/playground.py for what there is. */
function show(shown, event) {
  const says = bench().dataset;
  if (event.again) shown.text = "";
  if (event.text) shown.text += event.text;
  if (event.again || event.text) shown.words.replaceChildren(...emphasised(shown.text));
  if (event.tool) remark(shown.small, `${says.tool} ${event.tool}: ${event.result}`);
  if (event.note === "unpaid") remark(shown.small, says.unpaid);
  else if (event.note === "leaked") remark(shown.small, says.leaked);
  else if (event.note) remark(shown.small, event.note);
  if (event.error) shown.words.textContent = event.error === "failed" ? says.failed : event.error;
  if (!event.done) return;
  shown.done = event.done;
  const { ms, first_ms, tokens, cost, model, sources, replies } = event.done;
  if (replies.length) remark(shown.small, `${says.buttons} ${replies.join(" · ")}`);
  if (sources.length) remark(shown.small, `${says.sources} ${sources.join(", ")}`);
  for (const part of [
    model,
    `${says.first} ${duration(first_ms)}`,
    `${says.whole} ${duration(ms)}`,
    tokens[0] ? `${tokens[0].toLocaleString("en")} + ${tokens[1].toLocaleString("en")} ${says.tokens}` : "",
    dollars(cost),
  ]) if (part) remark(shown.small, part);
}

/** Posts the form as it stands, and `more`; the line of the answer, `done` once it is whole. */
async function ask(list, more) {
  asking?.abort();
  const mine = (asking = new AbortController());
  const agent = document.getElementById("id_agent_name").value;
  const shown = line(list, "agent", agent);
  shown.words.textContent = "…";
  shown.row.scrollIntoView({ block: "nearest" });
  const body = new FormData(document.getElementById("persona_form"));
  for (const [name, value] of Object.entries(more)) body.set(name, value);
  try {
    const response = await fetch(bench().dataset.try, { method: "POST", body, signal: mine.signal });
    if (!response.ok) {
      const told = await response.json().catch(() => ({}));
      throw new Error(told.error || bench().dataset.failed);
    }
    shown.words.textContent = "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const each of lines) show(shown, JSON.parse(each));
      list.scrollTop = list.scrollHeight;
    }
  } catch (error) {
    if (error.name === "AbortError") shown.row.remove();
    else shown.words.textContent = error.message;
    return { text: "", stopped: error.name === "AbortError" };
  }
  return shown;
}

/** Has the draft answer a real question again, beside what was answered then. */
async function again(article) {
  const list = article.querySelector("ol");
  list.replaceChildren();
  const { done, stopped } = await ask(list, { reply: article.dataset.again });
  if (done) Object.assign(article.dataset, { newMs: done.ms, newCost: done.cost });
  total();
  return !stopped;
}

async function againAll() {
  for (const article of document.querySelectorAll("[data-again]")) {
    if (!(await again(article))) return; // somebody asked for something else
  }
}

/** Time and cost of all that were answered again, then and now. */
function total() {
  const told = document.getElementById("again-total");
  const both = [...document.querySelectorAll("[data-again][data-new-ms]")];
  const sum = (name) => both.reduce((all, { dataset }) => all + Number(dataset[name]), 0);
  const each = (name) => duration(Math.round(sum(name) / both.length));
  const [then, now] = ["old", "new"].map((of) => [each(`${of}Ms`), dollars(sum(`${of}Cost`))]);
  const values = [both.length, ...then, ...now];
  told.textContent = both.length ? told.dataset.words.replace(/\{(\d)\}/g, (_gap, n) => values[n]) : "";
}

/** What a visitor would see first: the draft's own greeting and suggestions, or the site's. */
function begin() {
  const list = document.getElementById("try-lines");
  const offered = document.getElementById("try-suggestions");
  if (!list || talk.length) return;
  const agent = document.getElementById("id_agent_name").value;
  const values = { "{agent}": agent, "{company}": bench().dataset.company };
  const [greeting, suggestions] = ["greeting", "suggestions"].map((name) => {
    const own = document.getElementById(`id_${name}`).value.trim();
    const filled = own.replace(/\{(?:agent|company)\}/g, (gap) => values[gap]);
    return filled || bench().dataset[name];
  });
  list.replaceChildren();
  if (greeting) line(list, "agent", agent).words.textContent = greeting;
  const buttons = suggestions.split("\n").map((each) => each.trim()).filter(Boolean).map((each) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "desk-button";
    button.dataset.say = button.textContent = each;
    return button;
  });
  offered.replaceChildren(...buttons);
  return greeting;
}

async function say(words) {
  const list = document.getElementById("try-lines");
  const greeting = begin();
  if (greeting) talk.push(["agent", greeting]);
  document.getElementById("try-suggestions").replaceChildren();
  talk.push(["visitor", words]);
  line(list, "visitor", bench().dataset.you).words.textContent = words;
  const { text } = await ask(list, { talk: JSON.stringify(talk) });
  if (text) talk.push(["agent", text]);
}

document.addEventListener("submit", (event) => {
  if (event.target.id !== "try-form") return;
  event.preventDefault();
  const input = document.getElementById("try-words");
  const words = input.value.trim();
  input.value = "";
  if (words) say(words);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest(".desk-again button, #again-all, [data-say], #try-clear");
  if (!button) return;
  if (button.dataset.say) {
    say(button.dataset.say);
    document.getElementById("try-words").focus();
  } else if (button.id === "try-clear") {
    asking?.abort();
    talk.length = 0;
    begin();
    document.getElementById("try-words").focus();
  } else if (button.id === "again-all") againAll();
  else again(button.closest("[data-again]"));
});

document.addEventListener("change", (event) => {
  if (event.target.matches("#id_agent_name, #id_greeting, #id_suggestions")) begin();
});
document.addEventListener("DOMContentLoaded", begin);
