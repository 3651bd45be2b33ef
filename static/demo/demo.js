// The buttons that ask the chat a question in the visitor's name.
for (const button of document.querySelectorAll("[data-ask]")) {
  button.addEventListener("click", () => {
    (window.SalesChat ||= []).push(["ask", button.dataset.ask]);
  });
}
