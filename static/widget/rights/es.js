export const words = {
  download: "Descargar mi chat",
  erase: "Eliminar mi chat",
  sure: "¿Eliminar para siempre todo lo dicho aquí y lo que se anotó sobre usted?",
  yes: "Eliminar",
  erased: "Su chat se ha eliminado.",
  failed: "No ha funcionado. Inténtelo de nuevo.",
  agree: "Acepto",
  policy: "Política de privacidad",
  notice: "Antes de escribir",
};
