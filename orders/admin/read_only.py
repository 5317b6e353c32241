"""Read-only pages and inlines. Only services write status and history."""

# Large columns of related rows that no list shows: messages or bodies of orders with twenty thousand domains.
LARGE = {"order": "content", "trial": "content", "activation": "content", "dispatch": "payload", "fix": "payload"}


class ReadOnlyAdmin:
    """Nobody adds, changes or deletes here, not even a superuser. Lists count their rows once, not twice."""

    show_full_result_count = False

    def heading(self, obj) -> str:
        """The page's subject in words for staff. `str` is for logs."""
        return str(obj)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["heading"] = self.heading(obj) if obj else ""
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def get_queryset(self, request):
        """Leaves out the large columns of joined rows."""
        rows = super().get_queryset(request)
        related = self.list_select_related if isinstance(self.list_select_related, list | tuple) else ()
        large = [name for path in related for name in _large_columns(path.split("__"))]
        return rows.defer(*large) if large else rows

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


def _large_columns(path: list[str]) -> list[str]:
    """For dispatch, order: `dispatch__payload` and `dispatch__order__content`."""
    return ["__".join([*path[: place + 1], LARGE[name]]) for place, name in enumerate(path) if name in LARGE]
