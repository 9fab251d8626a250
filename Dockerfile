# mien serve, with the page, as an unprivileged user:
#
#     docker build -t mien .
#     docker run --stop-timeout 75 --read-only --tmpfs /tmp:size=2g --cap-drop ALL -p 8000:8000 \
#       -e MIEN_SERVE_TOKEN="$(openssl rand -hex 24)" mien
#
# docs/deploy.md says what can be set.

FROM node:22-slim AS page
WORKDIR /mien/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
# What the page takes from outside web/.
COPY src/mien/assets/demo.mp4 /mien/src/mien/assets/
COPY docs/model-card.md /mien/docs/
RUN npm run build

FROM python:3.12-slim AS wheel
WORKDIR /mien
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY experiments ./experiments
COPY src ./src
COPY --from=page /mien/src/mien/serve/static ./src/mien/serve/static
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
COPY --from=wheel /wheels /wheels
# This image has no libGL, libxcb and GLib, which OpenCV's build with windows does not load without.
RUN pip install --no-cache-dir "$(echo /wheels/*.whl)[serve,heic]" && rm -r /wheels \
    && pip uninstall --yes opencv-python \
    && pip install --no-cache-dir "opencv-python-headless>=4.14,<5"
ENV XDG_CACHE_HOME=/var/cache \
    MIEN_SERVE_HOST=0.0.0.0 \
    MIEN_SERVE_PORT=8000 \
    MIEN_SERVE_STATE_FILE=/tmp/mien.sqlite3
RUN mien models download && chmod -R a+rX /var/cache/mien
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin mien
USER mien
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['MIEN_SERVE_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["mien", "serve", "--offline"]
