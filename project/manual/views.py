"""/admin/manual/ and its pages. Whoever is logged in may read them: they hold no data."""

from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from project.manual.pages import BY_SLUG, PAGES, STATES, meanings


def manual_page(request: HttpRequest, slug: str = PAGES[0].slug, *, site: AdminSite) -> HttpResponse:
    if slug not in BY_SLUG:
        raise Http404
    place = list(BY_SLUG).index(slug)
    context = site.each_context(request) | {
        "title": BY_SLUG[slug].title,
        "pages": PAGES,
        "page": BY_SLUG[slug],
        "text": f"manual/{slug}.html",
        "before": PAGES[place - 1] if place else None,
        "after": PAGES[place + 1] if place + 1 < len(PAGES) else None,
    }
    if slug == STATES:
        context["meanings"] = meanings()
    return TemplateResponse(request, "manual/page.html", context)
