/* Conveniences only: every page can be read and every action done without this. */
"use strict";

const COPY = document.currentScript.dataset.copy;

function closeFilters(except) {
    document.querySelectorAll(".filter[open]").forEach((filter) => {
        if (filter !== except) filter.open = false;
    });
}

document.addEventListener("click", (event) => closeFilters(event.target.closest(".filter")));

document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector(".filter[open]");
    if (!open) return;
    open.open = false;
    open.querySelector("summary").focus();
});

function offerCopy(cell) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "⧉";
    const number = cell.textContent.trim();
    button.setAttribute("aria-label", `${COPY} ${number}`);
    button.title = COPY;
    button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(number);
        button.textContent = "✓";
        button.classList.add("copied");
        setTimeout(() => { button.textContent = "⧉"; button.classList.remove("copied"); }, 1500);
    });
    cell.append(button);
}

if (navigator.clipboard) {
    document.querySelectorAll("#result_list th.field-number, #result_list td.field-order_number").forEach(offerCopy);
}
