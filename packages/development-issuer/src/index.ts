export {
  developmentAudience,
  developmentIssuer,
  DevelopmentIssuer,
  developmentScopes,
  type TokenRequest,
} from './development-issuer.ts';
