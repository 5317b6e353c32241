/* Conveniences of the order's page: copying, and closing the menu. */
"use strict";

function copyText(button) {
    const from = button.dataset.copyFrom;
    return from ? document.getElementById(from).textContent : button.dataset.copy;
}

const COPIES = "button.copy[data-copy], button.copy[data-copy-from]";

function offerCopies() {
    document.querySelectorAll(COPIES).forEach((button) => { button.hidden = false; });
}

if (navigator.clipboard) {
    offerCopies();
    document.addEventListener("desk:moved", offerCopies);
    document.addEventListener("click", async (event) => {
        const button = event.target.closest(COPIES);
        if (!button) return;
        const word = button.textContent;
        await navigator.clipboard.writeText(copyText(button));
        button.textContent = "✓";
        setTimeout(() => { button.textContent = word; }, 1500);
    });
}

document.addEventListener("click", (event) => {
    document.querySelectorAll(".order-menu[open]").forEach((menu) => {
        if (!menu.contains(event.target)) menu.open = false;
    });
});

document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    document.querySelectorAll(".order-menu[open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
    });
});

/* J and K go to the next and the previous order of the list that the person came from. */
document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const to = { j: "next", k: "prev" }[event.key];
    const link = to && document.querySelector(`.order-near a[rel=${to}]`);
    if (link) link.click();
});
