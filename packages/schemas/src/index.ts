export {
  changeRoute,
  dataOps,
  defineEventType,
  stateRoute,
  type DataOp,
  type EventType,
  type Route,
  type RouteForm,
} from './event-type.ts';
export { eventMetadata, type EventMetadata } from './event-metadata.ts';
export { recordHeader } from './record-headers.ts';
