/* The box at the top of each page: results while typing. Without this script Enter leads to the page of results. */
"use strict";

(() => {
    const form = document.querySelector("form.find");
    const box = form.querySelector("input");
    const panel = form.querySelector(".find-results");
    const WAIT = 150; // milliseconds after the last key
    let timer, asked = 0;

    const links = () => [...panel.querySelectorAll("a")];

    function close() {
        panel.hidden = true;
    }

    async function ask() {
        const term = box.value.trim();
        const mine = ++asked;
        if (!term) return close();
        const answer = await fetch(`${form.action}?part=1&q=${encodeURIComponent(term)}`).catch(() => null);
        if (mine !== asked || !answer) return; // a newer term is asked for, or the server is away: Enter still works
        if (!answer.ok || answer.redirected) return close();
        panel.innerHTML = await answer.text(); // ours, escaped by the template
        panel.hidden = document.activeElement !== box && !panel.contains(document.activeElement);
    }

    function move(step) {
        const all = links();
        if (panel.hidden || !all.length) return;
        const place = all.indexOf(document.activeElement) + step;
        if (place < 0) box.focus();
        else all[Math.min(place, all.length - 1)].focus();
    }

    function askSoon(event) {
        clearTimeout(timer);
        if (!event.isComposing) timer = setTimeout(ask, WAIT); // not for half a Chinese word
    }

    box.addEventListener("input", askSoon);
    box.addEventListener("compositionend", askSoon);
    box.addEventListener("focus", () => {
        if (panel.childElementCount && box.value.trim()) panel.hidden = false;
    });
    form.addEventListener("keydown", (event) => {
        if (event.isComposing) return; // the keys choose among characters
        if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            event.preventDefault();
            move(event.key === "ArrowDown" ? 1 : -1);
        } else if (event.key === "Escape" && !panel.hidden) {
            event.preventDefault();
            close();
            box.focus();
            close();
        }
    });
    form.addEventListener("focusout", (event) => {
        if (!form.contains(event.relatedTarget)) close();
    });
    document.addEventListener("keydown", (event) => {
        const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
        const short = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k";
        const slash = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
        if (!short && !slash) return;
        event.preventDefault();
        const field = (slash && document.getElementById("searchbar")) || box; // a list is searched first
        field.focus();
        field.select();
    });
})();
