import { ChatWidget } from "./chat-widget.js";

if (!customElements.get("sales-chat")) customElements.define("sales-chat", ChatWidget);
