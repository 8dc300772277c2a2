# The command `freshet` on a feature repository that is mounted at /repo; state belongs in /data.
#
#   docker build -t freshet .
#   docker run --rm -v ./shop:/repo -v freshet-data:/data -p 127.0.0.1:6567:6567 freshet serve

ARG NODE_IMAGE=node:20.20.2-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY connectors ./connectors
COPY console ./console
COPY scripts ./scripts
RUN npm run build
RUN npm prune --omit=dev --no-audit --no-fund
# The store's package brings its binary for every system; this image is one of them.
RUN find node_modules/rocksdb-native/prebuilds -mindepth 1 -maxdepth 1 ! -name "$(node -p 'process.platform + "-" + process.arch')" -exec rm -r {} +

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY schemas ./schemas
COPY templates ./templates
RUN install -d -o node -g node /data /repo
USER node
WORKDIR /repo
VOLUME /data
EXPOSE 6567
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:6567/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/src/cli/main.js"]
CMD ["serve", "--log", "json"]
