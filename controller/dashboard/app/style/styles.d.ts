/** A style sheet is bundled beside the script; nothing of it is imported. */
declare module '*.css';
