import type { FastifySwaggerUiOptions } from '@fastify/swagger-ui';

/**
 * The page for people at `/docs`: the document with a form for each operation. It asks nobody but this service for anything, and its policy
 * (Content Security Policy 3) makes browsers hold it to that; the page is read on phones, too.
 */
export function docsPage(title: string): FastifySwaggerUiOptions {
  return {
    routePrefix: '/docs',
    staticCSP: policy,
    // No bar with a field for the address of other documents: this page is about this service.
    uiConfig: { layout: 'BaseLayout', docExpansion: 'list', tryItOutEnabled: true },
    theme: {
      title,
      css: [{ filename: 'phone.css', content: phoneCss }],
      // The page's frame comes from the library, which leaves this out.
      js: [{ filename: 'viewport.js', content: viewportJs }],
    },
  };
}

/** Styles in attributes are what the page's own scripts set. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const viewportJs = `const viewport = document.createElement('meta');
viewport.name = 'viewport';
viewport.content = 'width=device-width, initial-scale=1';
document.head.append(viewport);
`;

/** Below the width of a tablet tables stand one cell under the other, and long words break, so that nothing is to the right of the screen. */
const phoneCss = `@media (max-width: 640px) {
  .swagger-ui .wrapper { padding: 0 8px; }
  .swagger-ui .opblock-summary-description { flex-basis: 100%; }
  .swagger-ui .opblock .opblock-summary { flex-wrap: wrap; }
  .swagger-ui table, .swagger-ui tbody, .swagger-ui tr, .swagger-ui td { display: block; width: auto; max-width: 100%; }
  .swagger-ui table thead { display: none; }
  .swagger-ui .parameters-col_description input, .swagger-ui .parameters-col_description select { max-width: 100%; }
  .swagger-ui, .swagger-ui .markdown, .swagger-ui .renderedMarkdown { overflow-wrap: anywhere; }
}
`;
