"""What makes a page or an inline read-only: only services write status and history."""


class ReadOnlyAdmin:
    """Nobody adds, changes or deletes here, a superuser neither. Lists count their rows once, not twice."""

    show_full_result_count = False

    def heading(self, obj) -> str:
        """What the page is about, in words for staff; `str` is for logs."""
        return str(obj)

    def render_change_form(self, request, context, *args, obj=None, **kwargs):
        context["heading"] = self.heading(obj) if obj else ""
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False
