/* Conveniences only. Every page can be read, and every action done, without this script. */
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

/* A menu that does not fit beside its button moves to the left, as far as it must. */
function keepInside(filter) {
    const menu = filter.querySelector(".filter-menu");
    if (!menu) return;
    menu.style.marginLeft = "";
    const room = document.documentElement.clientWidth - 24 - menu.getBoundingClientRect().right;
    if (filter.open && room < 0) menu.style.marginLeft = `${room}px`;
}

document.addEventListener("toggle", (event) => {
    if (event.target.matches(".filter")) keepInside(event.target);
}, true);

const SHAPES = {
    copy: "M5.5 5.5V3A1.5 1.5 0 0 1 7 1.5h6A1.5 1.5 0 0 1 14.5 3v6a1.5 1.5 0 0 1-1.5 1.5h-2.5M3 5.5h6A1.5 1.5 0 0 1 10.5 7v6A1.5 1.5 0 0 1 9 14.5H3A1.5 1.5 0 0 1 1.5 13V7A1.5 1.5 0 0 1 3 5.5z",
    done: "M2 8.5l4 4 8-9",
};

function icon(shape) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", SHAPES[shape]);
    svg.append(path);
    return svg;
}

function offerCopy(cell) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.append(icon("copy"));
    const number = cell.textContent.trim();
    button.setAttribute("aria-label", `${COPY} ${number}`);
    button.title = COPY;
    button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(number);
        button.replaceChildren(icon("done"));
        button.classList.add("copied");
        setTimeout(() => { button.replaceChildren(icon("copy")); button.classList.remove("copied"); }, 1500);
    });
    cell.append(button);
}

/* The tick of all stays as it is when the page moves (moving.js). */
function offerTicks() {
    const heading = document.querySelector("#result_list thead .column-tick .text span");
    if (!heading || heading.dataset.stays === "") return;
    heading.dataset.stays = "";
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", heading.textContent.trim());
    all.addEventListener("change", () => {
        document.querySelectorAll("#result_list input[name=pick]").forEach((box) => { box.checked = all.checked; });
    });
    heading.replaceChildren(all);
}

function offerCopies() {
    document.querySelectorAll("#result_list th.field-number, #result_list td.field-order_number").forEach((cell) => {
        if (!cell.querySelector("button.copy")) offerCopy(cell);
    });
}

/* The keys j and k lead from row to row, x ticks one, Enter and the space bar show it: in a preview if there is one. */
const rowLink = (row) => row?.querySelector("th a");

function pressRow(key) {
    const rows = [...document.querySelectorAll("#result_list tbody tr")];
    const place = rows.findIndex((row) => row.contains(document.activeElement));
    const row = rows[place];
    if (key === "j" || key === "k") {
        const next = rowLink(rows[key === "j" ? place + 1 : Math.max(place - 1, 0)]);
        next?.focus();
        next?.scrollIntoView({ block: "nearest" });
        return Boolean(next);
    }
    if (!row) return false;
    if (key === "x") {
        row.querySelector("[name=pick]")?.click();
        return true;
    }
    if (document.activeElement !== rowLink(row)) return false;
    (row.querySelector("[data-preview]") || rowLink(row)).click();
    return true;
}

document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (["j", "k", "x", "Enter", " "].includes(event.key) && pressRow(event.key)) event.preventDefault();
});

/* All that fit, or the ticked rows: the last choice holds. */
document.addEventListener("change", ({ target }) => {
    if (!target.checked || !target.matches("[name=pick], .bulk [name=every]")) return;
    const others = target.name === "every" ? "#result_list [name=pick]" : ".bulk [name=every]";
    document.querySelectorAll(others).forEach((box) => { box.checked = false; });
});

function countTicks() {
    const count = document.querySelector(".bulk .ticked");
    if (count) count.textContent = document.querySelectorAll("#result_list [name=pick]:checked").length;
}

document.addEventListener("change", countTicks);

/* A toolbar is one stop of the Tab key; the arrows lead on within it. */
function offerArrows() {
    document.querySelectorAll("[role=toolbar]").forEach((bar) => {
        const stops = barStops(bar);
        const one = stops.find((stop) => stop === document.activeElement || stop.ariaCurrent) || stops[0];
        stops.forEach((stop) => { stop.tabIndex = stop === one ? 0 : -1; });
    });
}

const barStops = (bar) => [...bar.querySelectorAll("a, summary")].filter((stop) => !stop.closest(".filter-menu"));

document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const bar = step && event.target.closest("[role=toolbar]");
    const next = bar && barStops(bar)[barStops(bar).indexOf(event.target) + step];
    if (!next || !barStops(bar).includes(event.target)) return;
    event.preventDefault();
    next.focus();
    offerArrows();
});

/* The filters whose name or choices have the words that are typed */
function offerSearch() {
    const box = document.querySelector(".filter-search");
    if (box) box.hidden = false;
}

document.addEventListener("input", ({ target }) => {
    if (!target.matches(".filter-search")) return;
    const words = target.value.trim().toLowerCase();
    document.querySelectorAll(".filter-kind").forEach((kind) => {
        kind.hidden = !kind.textContent.toLowerCase().includes(words);
        kind.open = Boolean(words) && !kind.hidden && !kind.querySelector("summary").textContent.includes(words);
    });
});

function offer() {
    offerTicks();
    countTicks();
    offerArrows();
    offerSearch();
    if (navigator.clipboard) offerCopies();
}

offer();
document.addEventListener("desk:moved", offer);
