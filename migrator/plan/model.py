"""The migration plan: one document that says what moves, how, and when to stop.

Pure data. `migrator.plan.load` reads it from YAML with precise errors. What the proxy's own
document can say is taken from `routing.config`; see `migrator.plan.borrowed`.
"""

from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from migrator.plan.borrowed import Borrowed, in_plan
from migrator.plan.units import FULL_SHARE, Duration, Share
from routing.config import (
    AccessLog,
    CircuitBreaker,
    ContextRules,
    Decisions,
    Events,
    Exposed,
    ForwardedStyle,
    HealthCheck,
    Hedge,
    Limits,
    ListenTls,
    Mirroring,
    Network,
    OriginTls,
    OriginUrl,
    OutlierDetection,
    Overrides,
    Parity,
    ParityRules,
    Percent,
    Redaction,
    RetryBudget,
    RouteRule,
    SecondWrites,
    Timeouts,
    Tracing,
)
from routing.config.urls import ShownUrl
from routing.stages import Stage as Stage

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
"""A DNS label (RFC 1123), so that it can name a flag, a process and a Kubernetes object."""
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the runtime choose a free one."""
Method = Literal["GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE"]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Metadata(Model):
    name: Name


Uri = Annotated[
    str,
    Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#@]*)?$", max_length=512),
    AfterValidator(lambda uri: uri.rstrip("/")),
]
"""A base address; it never holds credentials."""


class Flags(Model):
    """Where the flags live. `embedded`: our own server of the LaunchDarkly protocol, started with
    the rest. `launchdarkly`: LaunchDarkly itself, or what stands in its place; the SDK key comes
    from $LAUNCHDARKLY_SDK_KEY and the access token from $LAUNCHDARKLY_ACCESS_TOKEN.
    """

    server: Literal["embedded", "launchdarkly"] = "embedded"
    project: Name = "default"
    environment: Name = "production"
    host: str = "127.0.0.1"
    """Of the embedded server."""
    port: Port = 8765
    """Of the embedded server."""
    api: Uri = "https://app.launchdarkly.com"
    """LaunchDarkly's REST API."""
    base: Uri = "https://sdk.launchdarkly.com"
    """Where SDKs poll."""
    stream: Uri = "https://stream.launchdarkly.com"
    """Where SDKs listen for changes."""
    events: Uri = "https://events.launchdarkly.com"
    """Where SDKs report what was evaluated."""


class Proxy(Model):
    host: str = "127.0.0.1"
    port: Port = 8080
    """Where users come in."""
    gateway_port: Port = 0
    """Where services call one another; the context header is trusted here and nowhere else."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    expose_decision: bool | Exposed = False
    """Add an `X-Migrator-Decision` header to responses: to nobody's, to everybody's, or to some."""
    tls: ListenTls | None = None
    """Towards users; paths are relative to the plan file."""
    proxy_protocol: bool = False
    """Connections begin with a header of the PROXY protocol and come from trusted peers."""
    trusted: tuple[Network, ...] = ()
    """Peers whose forwarding fields are believed, such as a load balancer in front."""
    forwarded: ForwardedStyle = "x-forwarded"
    """Fields that tell origins about the client."""
    origin_tls: dict[OriginUrl, OriginTls] = {}
    """By origin, for `https` ones that need more than the defaults."""
    limits: Borrowed[Limits] = in_plan(Limits)()
    timeouts: Borrowed[Timeouts] = in_plan(Timeouts)()
    mirroring: Borrowed[Mirroring] = in_plan(Mirroring)()
    parity: Borrowed[Parity] = in_plan(Parity)()
    second_writes: Borrowed[SecondWrites] = in_plan(SecondWrites)()
    decisions: Borrowed[Decisions] = in_plan(Decisions)()
    overrides: Borrowed[Overrides] | None = None
    events: Borrowed[Events] = in_plan(Events)()
    access_log: Borrowed[AccessLog] | None = None
    tracing: Borrowed[Tracing] | None = None
    redact: Redaction = Redaction()


class Workload(Model):
    """A program that the runtime runs. It must listen on the port in `$PORT`."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    cwd: str = "."
    """Relative to the plan file."""
    port: Port = 0
    env: dict[EnvName, str] = {}
    """Values may name `${services.NAME.url}`, `${monolith.url}` and `${gateway.url}`."""
    ready: Annotated[str, Field(pattern=r"^/")] = "/readyz"
    """Path that answers 2xx once the program can take requests."""
    ready_timeout: Duration = 30.0
    stop_timeout: Duration = 10.0
    """Seconds between SIGTERM and SIGKILL."""


class EndpointRules(Model):
    """How the proxy treats the endpoints of an origin."""

    health_check: Borrowed[HealthCheck] | None = None
    outlier_detection: Borrowed[OutlierDetection] = in_plan(OutlierDetection)()
    healthy_panic_threshold: Percent = 30.0
    """With fewer usable endpoints than this all of them are used."""
    slow_start_window: Annotated[Duration, Field(le=86_400)] = 0.0
    """In which the share of an endpoint that comes back, or is new, grows to its full size."""
    circuit_breaker: Borrowed[CircuitBreaker] | None = None
    retry_budget: Borrowed[RetryBudget] = in_plan(RetryBudget)()


class Restore(Model):
    """How a service that the controller switched off as broken is switched on again."""

    probe: Annotated[str, Field(pattern=r"^/")] | None = None
    """Path that answers 2xx when users may come back; left out: that of `ready`."""
    interval: Annotated[Duration, Field(gt=0)] = 0.5
    """Seconds between two questions."""
    healthy_for: Duration = 2.0
    """Seconds for which every answer must have been good."""
    at_most: Annotated[int, Field(ge=0)] = 2
    """Times `within` so many seconds; when it is switched off once more only a person can."""
    within: Annotated[Duration, Field(gt=0)] = 600.0


class Service(EndpointRules, Workload):
    replicas: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes, each with a `$PORT` of its own; `port` is that of the first one."""
    hedge: Borrowed[Hedge] | None = None
    restore: Literal["manual"] | Restore = Restore()
    """`manual`: only a person switches it on again."""


class MonolithWorkload(EndpointRules):
    workload: Workload


class MonolithUrl(EndpointRules):
    url: Annotated[str, Field(pattern=r"^https?://[^/\s?#@]+$")]
    """Origin of a monolith that runs elsewhere, such as `http://10.0.0.5:8000`."""


class Route(RouteRule):
    """Requests of one path template (OpenAPI syntax, trailing `*`) and the service for them."""

    path: Annotated[str, Field(pattern=r"^/")]
    methods: Annotated[tuple[Method, ...], Field(min_length=1)] | None = None
    """None: every method."""
    service: Name


class Webhook(Model):
    """Somebody else's program that gets a POST with JSON."""

    url: Annotated[ShownUrl, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s#@]*)?$", max_length=512)]
    timeout: Annotated[Duration, Field(gt=0, le=60)] = 10.0


class Command(Model):
    """A program that must succeed before a step ends, run once for each entry of the step."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """Program and arguments, no shell."""
    timeout: Annotated[Duration, Field(gt=0)] = 3600.0


class Step(Model):
    """One entry of a schedule: contexts up to `share` move to `stage`, the rest stays before it."""

    stage: Stage
    share: Annotated[Share, Field(gt=0)] = FULL_SHARE
    hold: Duration = 300.0
    """Least time at this step before the next one."""
    min_requests: Annotated[int, Field(ge=0)] = 0
    """Least requests that the authoritative origin of `stage` must have answered at this step."""
    approval: bool = False
    """Wait for `migrator promote` after the hold."""
    before_leaving: Command | None = None
    webhook: Webhook | None = None
    """Somebody else's word before the step ends: an answer of 2xx."""


class ErrorRateLimit(Model):
    max_increase: Share = 500
    """New origin's error rate minus the old one's, in percentage points."""


class LatencyLimit(Model):
    max_ratio: Annotated[float, Field(gt=1, le=1000)] = 1.5
    """New origin's quantile over the old one's."""
    min_increase: Duration = 0.025
    """A smaller difference is never held against the service."""


class LatencyLimits(Model):
    """A quantile without a limit of its own keeps that of p99."""

    p50: LatencyLimit | None = None
    p95: LatencyLimit | None = None
    p99: LatencyLimit = LatencyLimit()

    def by_quantile(self) -> dict[float, LatencyLimit]:
        """The limit in force for each quantile, such as 0.99."""
        return {0.5: self.p50 or self.p99, 0.95: self.p95 or self.p99, 0.99: self.p99}


Query = Annotated[str, Field(min_length=1, max_length=4096)]
EventKey = Annotated[str, Field(min_length=1, max_length=256)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class ParityLimit(Model):
    min: Share = 99_500
    """Least share of mirrored reads to which both origins give the same answer."""
    min_compared: Annotated[int, Field(ge=1)] = 100
    """Least reads compared at a step before it may be left."""


class ByOrigin(Model):
    """Two queries, where what differs between the monolith and the service is not just a word."""

    old: Query
    new: Query


class Prometheus(Model):
    """Queries in PromQL for the instant-query HTTP API of Prometheus, or of what speaks it.

    A text is asked twice, with `old` and `new` in place of `${origin}`; `${capability}` is the
    capability's name. Either `count` and `total`, or `value`.
    """

    url: Uri
    count: Query | ByOrigin | None = None
    """Counters of the trials that count, such as failed checkouts. Of several series each one's
    growth is added up, so neither `sum` nor `increase` is needed."""
    total: Query | ByOrigin | None = None
    """Counters of all trials, such as checkouts."""
    value: Query | ByOrigin | None = None
    """One number."""


class Track(Model):
    """Custom events that services send with an SDK's `track`, by their keys; counted by our flag
    server for the variation that the capability's flag gives their contexts."""

    count: EventKey
    total: EventKey


class Otlp(Model):
    """Metrics that services push to the controller, OTLP by HTTP, by their names.

    Either `count` and `total`, which are counters, or `value`.
    """

    old: EventKey
    """What `attribute` says of the monolith."""
    new: EventKey
    attribute: EventKey = "service.name"
    """Of the resource or the data point, by which both are told apart."""
    count: EventKey | None = None
    total: EventKey | None = None
    value: EventKey | None = None
    """Of several series the greatest counts."""


class Metric(Model):
    """A number of your own, from one source, compared between the monolith and the service.

    A proportion, `count` of `total`, has a limit of `max_increase` or `max_decrease`, and rolls
    back beyond chance only. Any other number has the limits `max`, `min`, `max_ratio` and
    `min_ratio`.
    """

    name: Name
    prometheus: Prometheus | None = None
    webhook: Webhook | None = None
    """Its answer, in JSON, has the figures of both origins."""
    track: Track | None = None
    otlp: Otlp | None = None
    interval: Annotated[Duration, Field(ge=0.1, le=3600)] = 15.0
    """Seconds between two readings."""
    max_increase: Annotated[Share, Field(gt=0)] | None = None
    """The service's proportion minus the monolith's, in percentage points."""
    max_decrease: Annotated[Share, Field(gt=0)] | None = None
    """The monolith's proportion minus the service's."""
    min_total: Annotated[int, Field(ge=1)] = 100
    """Least trials of each origin before a step may be left."""
    max: Number | None = None
    """Of the service's value."""
    min: Number | None = None
    max_ratio: Annotated[Number, Field(gt=0)] | None = None
    """The service's value over the monolith's."""
    min_ratio: Annotated[Number, Field(gt=0)] | None = None
    consecutive: Annotated[int, Field(ge=2, le=1000)] = 5
    """Readings in a row at which a value must break its limit to roll back, and keep it to go
    on."""

    @property
    def is_proportion(self) -> bool:
        return self.max_increase is not None or self.max_decrease is not None

    @property
    def needs_old(self) -> bool:
        """Whether the monolith's figures matter."""
        return self.is_proportion or self.max_ratio is not None or self.min_ratio is not None


class Analysis(Model):
    error_rate: ErrorRateLimit = ErrorRateLimit()
    latency: LatencyLimits = LatencyLimits()
    parity: ParityLimit | None = None
    """None: answers are compared, but do not decide."""
    metrics: Annotated[tuple[Metric, ...], Field(max_length=20)] = ()


class After(Model):
    """Another capability that must be first: complete, or with everybody at `stage`."""

    capability: Name
    stage: Stage | None = None


class Capability(Model):
    """The unit that moves: routes, the services behind them, one migration flag of this name."""

    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    needs: tuple[Name, ...] = ()
    """Services that must be switched on for this capability, besides those of its routes."""
    stages: Literal[2, 4, 6] = 6
    """How many stages its flag has, of LaunchDarkly's: 2 is off and complete, 4 has shadow and
    live in between."""
    after: tuple[Name | After, ...] = ()
    """Capabilities that must be complete before this one begins or leaves a step."""
    max_write_age: Duration = 60.0
    """Seconds that a second write may wait for the service before that may answer more users."""
    schedule: Literal["standard", "careful", "fast", "manual"] | tuple[Step, ...] = "standard"
    analysis: Analysis = Analysis()
    parity: ParityRules = ParityRules()
    """What is no difference between answers."""


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TIME_OF_DAY: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
TimeOfDay = Annotated[str, Field(pattern=TIME_OF_DAY)]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError("expected a time zone such as UTC or Europe/Berlin") from None
    return name


class Freeze(Model):
    """Hours in which nothing moves forward by itself; going back is always possible."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: Annotated[TimeOfDay, Field(alias="from")]
    to: TimeOfDay
    """Not after `from`: on the next day."""
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS
    """Days on which it starts."""
    timezone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] = "UTC"
    """A name of the IANA time zone database."""


class Spec(Model):
    flags: Flags = Flags()
    proxy: Proxy = Proxy()
    context: Borrowed[ContextRules] = in_plan(ContextRules)()
    secrets: tuple[EnvName, ...] = ()
    """Variables that every workload gets with one random value, made at the first start."""
    monolith: MonolithWorkload | MonolithUrl
    services: dict[Name, Service] = {}
    freeze: tuple[Freeze, ...] = ()
    capabilities: Annotated[dict[Name, Capability], Field(min_length=1)]


class Migration(Model):
    apiVersion: Literal["migrator.dev/v1alpha1"]
    kind: Literal["Migration"]
    metadata: Metadata
    spec: Spec
