"""Which SDKs are connected, and whether they have everything."""

from flask import Blueprint, render_template

from flags.dashboard.pages.site import IN_ENVIRONMENT, Answer, Site, environment, project


def add(ui: Blueprint, site: Site) -> None:
    @ui.get(f"{IN_ENVIRONMENT}/sdks")
    def sdks() -> Answer:
        """The most stale first, then those that connected last."""
        streams = sorted(
            site.live.streams(project(), environment().key),
            key=lambda stream: (-stream["behind_seconds"], stream["connected_seconds"]),
        )
        stale = sum(stream["behind_seconds"] > 0 for stream in streams)
        return render_template("sdks.html", streams=streams, stale=stale)
