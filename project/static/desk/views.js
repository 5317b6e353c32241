/* Counts the rows of the views over a list. Without this script the tabs have no numbers until they are known. */
"use strict";

const views = document.querySelector(".views[data-counts]");

async function count() {
    const answer = await fetch(views.dataset.counts, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    for (const [key, number] of Object.entries(await answer.json())) {
        const place = views.querySelector(`[data-view="${CSS.escape(key)}"] .view-count`);
        if (place) place.textContent = number;
    }
}

if (views) count().catch(() => {});
