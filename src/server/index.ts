export {
  createFeatureServer,
  type FeatureServer,
  type FeatureServerOptions,
  type ServerLog,
} from './feature-server.ts';
