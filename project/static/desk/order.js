/* Conveniences of the order's page: copying, closing the menu, and drafts that outlive a lost log-in. */
"use strict";

function copyText(button) {
    const from = button.dataset.copyFrom;
    return from ? document.getElementById(from).textContent : button.dataset.copy;
}

if (navigator.clipboard) {
    document.querySelectorAll("button.copy[data-copy], button.copy[data-copy-from]").forEach((button) => {
        const word = button.textContent;
        button.hidden = false;
        button.addEventListener("click", async () => {
            await navigator.clipboard.writeText(copyText(button));
            button.textContent = "✓";
            setTimeout(() => { button.textContent = word; }, 1500);
        });
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

/* Keeps typed text in this tab until the form is accepted, since a log-in may end meanwhile: for an hour, and for this
   account alone. session.js clears it at the log-out. */
const DRAFT_KEPT = 3600 * 1000;
const account = document.getElementById("session")?.dataset.account;

function readDraft(key) {
    const { text, at } = JSON.parse(sessionStorage.getItem(key) || "{}");
    return Date.now() - at < DRAFT_KEPT ? text : "";
}

document.querySelectorAll("[data-draft]").forEach((field) => {
    const key = `draft:${account}:${location.pathname}:${field.name}`;
    const keep = () => sessionStorage.setItem(key, JSON.stringify({ text: field.value, at: Date.now() }));
    if (!field.value) field.value = readDraft(key);
    else keep();
    field.addEventListener("input", keep);
});

if (document.querySelector(".order-head, .model-incident.change-form")) {
    const done = document.querySelector(".messagelist .success, .messagelist .info");
    if (done) Object.keys(sessionStorage).filter((key) => key.startsWith("draft:")).forEach((key) => sessionStorage.removeItem(key));
}
