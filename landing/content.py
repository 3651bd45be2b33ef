"""What the landing page says about the product, in one place to edit."""

from typing import NamedTuple


class Feature(NamedTuple):
    title: str
    text: str
    icon: str  # an SVG path on a 24 by 24 grid


FEATURES = [
    Feature(
        "Answers from what you know",
        "Products, prices, delivery, returns: it looks them up in your own knowledge and names its "
        "source. What it does not know, it says it does not know.",
        "M5 4.5h9a3 3 0 0 1 3 3V20H8a3 3 0 0 1-3-3zM17 20h2V7M8.5 9h5M8.5 12.5h5",
    ),
    Feature(
        "A person is one sentence away",
        "When somebody asks for a human, your staff hear of it by e-mail at once. They see the "
        "whole conversation, so nobody has to say anything twice.",
        "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 19.5c0-3 2.5-5 6-5s6 2 6 5M16 11a3 3 0 0 "
        "0 0-6M18 14.8c1.9.7 3 2.3 3 4.7",
    ),
    Feature(
        "Leads in their own words",
        "Name, e-mail, phone and need, noted while the talk goes on. Only what the visitor "
        "really wrote is kept, next to the lines it came from.",
        "M4 5.5h16v10H9.5L5.5 19v-3.5H4zM8 9h8M8 12h5",
    ),
    Feature(
        "Not a word lost",
        "Replies go on while a page reloads, a tunnel swallows the phone or a server restarts. "
        "What a visitor writes without a connection is sent as soon as it is back.",
        "M4.5 12a7.5 7.5 0 0 1 13-5l2 2M19.5 4.5V9H15M19.5 12a7.5 7.5 0 0 1-13 5l-2-2M4.5 19.5"
        "V15H9",
    ),
    Feature(
        "You decide how it sells",
        "How it greets, what it may promise, when it asks for the next step: staff edit it in "
        "the admin, publish with one click, and every version is kept.",
        "M5 7h6M15 7h4M5 17h4M13 17h6M13 4.5v5M11 14.5v5M5 12h10M19 12h0M17 9.5v5",
    ),
    Feature(
        "Light on your pages",
        "One small script, and nothing more until somebody wants to talk. No cookies, no "
        "trackers, no foreign servers, and no style of yours touched.",
        "M13 3.5L5.5 13.5H12l-1 7 7.5-10H12z",
    ),
]
