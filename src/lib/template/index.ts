export { compileTemplate, type Template } from './template.ts';
