// The picture of the chat moves when the page is there and the picture is seen: until then its still
// costs a tenth of the bytes. It never moves for those who want no motion, unless they say so.
const stage = document.querySelector("[data-stage]");
const button = stage.querySelector("button");
const pictures = [...stage.querySelectorAll("[data-moving]")].map((it) => {
  const name = it.localName === "source" ? "srcset" : "src";
  return { it, name, still: it.getAttribute(name) };
});
let moving = true; // as the button says

const move = (wanted) => {
  for (const { it, name, still } of pictures) it[name] = wanted ? it.dataset.moving : still;
  if (moving !== wanted) {
    [button.ariaLabel, button.dataset.other] = [button.dataset.other, button.ariaLabel];
    moving = wanted;
  }
  button.classList.toggle("still", !wanted);
  button.hidden = false;
};

button.addEventListener("click", () => move(!moving));
const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches || navigator.connection?.saveData;
const seen = new IntersectionObserver(([{ isIntersecting }]) => {
  if (!isIntersecting) return;
  seen.disconnect();
  move(!quiet);
});
const idle = window.requestIdleCallback ?? ((then) => setTimeout(then, 1000));
addEventListener("load", () => idle(() => seen.observe(stage)));
