# The app with its models, for any x86-64 processor: docker build -t proofreader .
# A wheel of llama.cpp that `make wheel` left in wheels/ is taken; without one it is compiled here, in a quarter of an hour.
ARG BASE=debian:12-slim

FROM $BASE AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential python3-venv
WORKDIR /app
COPY Makefile requirements.txt ./
COPY space/llama_cpp* space/
COPY wheel[s] wheels
RUN make wheel && .venv/bin/pip install --no-cache-dir --find-links wheels -r requirements.txt

FROM $BASE
RUN apt-get update && apt-get install -y --no-install-recommends python3 libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home app && install -d -o app /data
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY LICENSE requirements.txt ./
COPY feedback feedback
COPY space space
USER app
# What is kept: feedback, and models of the Hub.
ENV FEEDBACK_DIR=/data/flagged HF_HOME=/data/hub GRADIO_SERVER_NAME=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 7860
HEALTHCHECK --start-period=60s CMD [".venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/health', timeout=5)"]
CMD [".venv/bin/python", "space/app.py"]
