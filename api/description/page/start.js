"use strict";

// Nothing of this page goes anywhere else: no validator, no other description than ours, no token kept.
SwaggerUIBundle({
  dom_id: "#api",
  url: "/docs/openapi.json",
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  docExpansion: "list",
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
  queryConfigEnabled: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
